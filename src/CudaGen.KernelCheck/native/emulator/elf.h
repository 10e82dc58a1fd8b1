// elf.h - the little that has to be known of an ELF image.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace emu
{

struct ElfSymbol
{
    uint64_t value; // an address relative to the image; of thread-local data an offset in its block
    uint64_t size;
    std::string name;
};

struct ElfImage
{
    size_t size = 0;          // of the file
    uint64_t memory_size = 0; // when loaded
    uint64_t thread_local_size = 0;
    std::vector<ElfSymbol> functions;     // by value
    std::vector<ElfSymbol> thread_locals; // by value
    bool exports_module = false;          // defines cudagen_module
};

// False, with the reason, when the bytes are no module of this machine.
bool read_elf(const void* image, ElfImage& result, std::string& error);

} // namespace emu
