// elf.cpp - reads the headers and the symbol table of an ELF image.
#include "elf.h"
#include <algorithm>
#include <cstring>
#include <elf.h>

namespace emu
{

namespace
{

#if defined(__x86_64__)
constexpr int machine = EM_X86_64;
constexpr uint64_t call_bias = 4; // calls count from the end of the instruction, relocations from its operand
#else
constexpr int machine = EM_AARCH64;
constexpr uint64_t call_bias = 0;
#endif
constexpr int machine_cuda = 190;

bool check_header(const void* image, std::string& error)
{
    auto text = static_cast<const char*>(image);
    if (memcmp(text, ELFMAG, SELFMAG) != 0)
    {
        bool ptx = strstr(std::string(text, strnlen(text, 200)).c_str(), ".version") || strncmp(text, "//", 2) == 0;
        error = ptx ? "the image is PTX text, which the stand-ins cannot run" : "the image is no ELF file";
        return false;
    }
    auto header = static_cast<const Elf64_Ehdr*>(image);
    if (header->e_machine == machine_cuda)
        error = "the image is machine code of a GPU: the stand-ins run what their own NVRTC compiles";
    else if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_type != ET_DYN || header->e_machine != machine)
        error = "the image is no shared library of this machine";
    else
        return true;
    return false;
}

void sort(std::vector<ElfSymbol>& symbols)
{
    std::sort(symbols.begin(), symbols.end(), [](const ElfSymbol& a, const ElfSymbol& b) { return a.value < b.value; });
}

void read_symbols(const char* base, const Elf64_Shdr& table, const Elf64_Shdr& strings, ElfImage& result)
{
    auto symbols = reinterpret_cast<const Elf64_Sym*>(base + table.sh_offset);
    for (size_t i = 0; i < table.sh_size / sizeof(Elf64_Sym); ++i)
    {
        const Elf64_Sym& symbol = symbols[i];
        std::string name = base + strings.sh_offset + symbol.st_name;
        int type = ELF64_ST_TYPE(symbol.st_info);
        if (symbol.st_shndx == SHN_UNDEF)
            continue;
        if (type == STT_FUNC)
            result.functions.push_back({symbol.st_value, symbol.st_size, name});
        else if (type == STT_TLS)
            result.thread_locals.push_back({symbol.st_value, symbol.st_size, name});
        else if (name == "cudagen_module")
            result.exports_module = true;
    }
}

// The linker keeps the relocations of the modules' object files in the image.
void read_references(const char* base, const Elf64_Shdr& relocations, const Elf64_Shdr& table,
                     const Elf64_Shdr& strings, ElfImage& result)
{
    auto symbols = reinterpret_cast<const Elf64_Sym*>(base + table.sh_offset);
    const char* names = base + strings.sh_offset;
    auto list = reinterpret_cast<const Elf64_Rela*>(base + relocations.sh_offset);
    for (size_t i = 0; i < relocations.sh_size / sizeof(Elf64_Rela); ++i)
    {
        const Elf64_Sym& symbol = symbols[ELF64_R_SYM(list[i].r_info)];
        int type = ELF64_ST_TYPE(symbol.st_info);
        auto add = [&](uint64_t to, ElfReference::Kind kind) {
            result.references.push_back({list[i].r_offset, to, kind});
        };
        if (symbol.st_shndx == SHN_UNDEF)
        {
            if (strcmp(names + symbol.st_name, "cudagen_warp") == 0)
                add(0, ElfReference::WarpOperation);
        }
        else if (type == STT_FUNC)
            add(symbol.st_value, ElfReference::Function);
        else if (type == STT_TLS)
            add(symbol.st_value, ElfReference::ThreadLocal);
        else if (type == STT_SECTION) // a local function, by its distance from the start of all code
            add(symbol.st_value + static_cast<uint64_t>(list[i].r_addend) + call_bias, ElfReference::Function);
    }
}

} // namespace

bool read_elf(const void* image, ElfImage& result, std::string& error)
{
    if (!check_header(image, error))
        return false;
    auto base = static_cast<const char*>(image);
    auto header = static_cast<const Elf64_Ehdr*>(image);
    auto sections = reinterpret_cast<const Elf64_Shdr*>(base + header->e_shoff);
    auto segments = reinterpret_cast<const Elf64_Phdr*>(base + header->e_phoff);
    result.size = header->e_shoff + static_cast<size_t>(header->e_shnum) * header->e_shentsize;
    for (int i = 0; i < header->e_phnum; ++i)
    {
        const Elf64_Phdr& segment = segments[i];
        if (segment.p_type == PT_TLS)
            result.thread_local_size = segment.p_memsz;
        else if (segment.p_type == PT_LOAD)
            result.memory_size = std::max(result.memory_size, segment.p_vaddr + segment.p_memsz);
    }
    for (int i = 0; i < header->e_shnum; ++i)
        if (sections[i].sh_type != SHT_NOBITS)
            result.size = std::max<size_t>(result.size, sections[i].sh_offset + sections[i].sh_size);
    for (int i = 0; i < header->e_shnum; ++i)
    {
        const Elf64_Shdr &section = sections[i], &linked = sections[section.sh_link];
        if (section.sh_type == SHT_SYMTAB)
            read_symbols(base, section, linked, result);
        else if (section.sh_type == SHT_RELA && linked.sh_type == SHT_SYMTAB &&
                 (sections[section.sh_info].sh_flags & SHF_EXECINSTR))
            read_references(base, section, linked, sections[linked.sh_link], result);
    }
    sort(result.functions);
    sort(result.thread_locals);
    if (result.exports_module)
        return true;
    error = "the image is a shared library, but not one that the stand-in of NVRTC made";
    return false;
}

} // namespace emu
