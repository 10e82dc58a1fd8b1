// internal.h - the lock that every public function of the emulator takes.
#pragma once
#include "../emulator.h"
#include <mutex>

namespace emu
{

// Guards settings, memory, modules, launches and reports. Recursive: a launch reports and looks memory up.
std::recursive_mutex& lock();

using Guard = std::lock_guard<std::recursive_mutex>;

} // namespace emu
