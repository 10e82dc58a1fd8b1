// internal.h - the lock that every public function of the emulator takes, and files that exist in memory alone.
#pragma once
#include "../emulator.h"
#include <mutex>

namespace emu
{

// Guards settings, memory, modules, launches and reports. Recursive: a launch reports and looks memory up.
std::recursive_mutex& lock();

using Guard = std::lock_guard<std::recursive_mutex>;

// A file with these bytes and without a path: nothing is left behind, however the process ends. Negative on failure.
int make_file(const char* name, const void* data, size_t size);

} // namespace emu
