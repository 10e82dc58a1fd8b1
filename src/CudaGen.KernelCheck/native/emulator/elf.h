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

// Code at address `from` names a function or thread-local data at `to`, or the emulator's operation of a warp.
struct ElfReference
{
    enum Kind
    {
        Function,
        ThreadLocal,
        WarpOperation,
    };

    uint64_t from, to;
    Kind kind;
};

struct ElfImage
{
    size_t size = 0;          // of the file
    uint64_t memory_size = 0; // when loaded
    uint64_t thread_local_size = 0;
    std::vector<ElfSymbol> functions;     // by value
    std::vector<ElfSymbol> thread_locals; // by value
    std::vector<ElfReference> references;
    bool exports_module = false; // defines cudagen_module
};

// False, with the reason, when the bytes are no module of this machine.
bool read_elf(const void* image, ElfImage& result, std::string& error);

} // namespace emu
