// module.cpp - loads the shared libraries that NVRTC's stand-in makes.
#include "module.h"
#include "memory.h"
#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

namespace emu
{

namespace
{

constexpr size_t static_shared_limit = 48 << 10;

std::string demangle(const std::string& name)
{
    int status;
    char* text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
    std::string result = text ? text : name;
    free(text);
    return result;
}

// "float block_sum<256>(float)::parts" is array parts.
std::string last_part(const std::string& text)
{
    int depth = 0;
    size_t begin = 0;
    for (size_t i = 0; i + 1 < text.size(); ++i)
    {
        depth += text[i] == '(' || text[i] == '<';
        depth -= text[i] == ')' || text[i] == '>';
        if (depth == 0 && text[i] == ':' && text[i + 1] == ':')
            begin = i + 2;
    }
    return text.substr(begin);
}

} // namespace

std::unique_ptr<Module> Module::load(const void* image, std::string& error)
{
    std::unique_ptr<Module> module(new Module);
    if (!module->open(image, error) || !module->read_table(error))
        return nullptr;
    module->read_shared_arrays();
    module->find_uses();
    for (const Kernel& kernel : module->kernels_)
        if (kernel.static_shared > static_shared_limit)
        {
            error = std::string("kernel ") + kernel.name +
                    " uses too much shared memory: " + std::to_string(kernel.static_shared) + " bytes, " +
                    std::to_string(static_shared_limit) + " at most";
            return nullptr;
        }
    for (int i = 0; i < module->table_->symbol_count; ++i)
        add_symbol(module->table_->symbols[i].symbol, module->table_->symbols[i].constant);
    return module;
}

Module::~Module()
{
    if (table_)
        for (int i = 0; i < table_->symbol_count; ++i)
            remove_symbol(table_->symbols[i].symbol);
    if (handle_)
        dlclose(handle_);
    if (file_ >= 0)
        close(file_);
}

bool Module::open(const void* image, std::string& error)
{
    if (!read_elf(image, elf_, error))
        return false;
    file_ = make_file("cudagen-module", image, elf_.size);
    if (file_ < 0)
    {
        error = "no memory for a copy of the image";
        return false;
    }
    // The file stays open as long as the module is loaded, so no other module gets this path, by which dlopen knows it.
    std::string path = "/proc/self/fd/" + std::to_string(file_);
    handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_)
        return true;
    error = dlerror();
    return false;
}

bool Module::read_table(std::string& error)
{
    auto table = static_cast<const ModuleTable*>(dlsym(handle_, "cudagen_module"));
    if (!table || table->version != abi_version)
    {
        error = "the image was made by another version of the stand-ins";
        return false;
    }
    table_ = table;
    link_map* map = nullptr;
    dlinfo(handle_, RTLD_DI_LINKMAP, &map);
    base_ = map->l_addr;
    for (int i = 0; i < table_->kernel_count; ++i)
        kernels_.push_back(table_->kernels[i]);
    for (const Kernel& kernel : kernels_)
        kernel_list_.push_back(&kernel);
    return true;
}

void Module::read_shared_arrays()
{
    for (const ElfSymbol& symbol : elf_.thread_locals)
        if (symbol.name == "cudagen_dynamic_shared")
            dynamic_offset_ = symbol.value;
    for (const ElfSymbol& symbol : elf_.thread_locals)
    {
        if (symbol.value == dynamic_offset_)
            continue; // the kernels' names for dynamic shared memory
        shared_arrays_.push_back({symbol.value, symbol.size, last_part(demangle(symbol.name))});
    }
}

// Follows the references of each kernel's code, and of the functions that they lead to.
void Module::find_uses()
{
    for (Kernel& kernel : kernels_)
    {
        Uses uses{std::vector<bool>(shared_arrays_.size()), false};
        std::set<uint64_t> reached;
        for (const ElfSymbol& function : elf_.functions)
            if (function.name == kernel.name)
                follow(function, reached, uses);
        for (size_t i = 0; i < uses.arrays.size(); ++i)
            kernel.static_shared += uses.arrays[i] ? (shared_arrays_[i].size + 3) / 4 * 4 : 0;
        uses_.push_back(std::move(uses));
    }
}

void Module::follow(const ElfSymbol& function, std::set<uint64_t>& reached, Uses& uses) const
{
    if (!reached.insert(function.value).second)
        return;
    for (const ElfReference& reference : elf_.references)
    {
        if (reference.from - function.value >= function.size)
            continue;
        switch (reference.kind)
        {
        case ElfReference::WarpOperation:
            uses.warp_operations = true;
            break;
        case ElfReference::ThreadLocal:
            for (size_t i = 0; i < uses.arrays.size(); ++i)
                uses.arrays[i] = uses.arrays[i] || shared_arrays_[i].offset == reference.to;
            break;
        case ElfReference::Function:
            for (const ElfSymbol& other : elf_.functions)
                if (other.value == reference.to)
                    follow(other, reached, uses);
            break;
        }
    }
}

const Module::Uses& Module::uses_of(const Kernel& kernel) const
{
    return uses_[static_cast<size_t>(&kernel - kernels_.data())];
}

bool Module::uses(const Kernel& kernel, const SharedArray& array) const
{
    return uses_of(kernel).arrays[static_cast<size_t>(&array - shared_arrays_.data())];
}

bool Module::has_warp_operations(const Kernel& kernel) const
{
    return uses_of(kernel).warp_operations;
}

const Kernel* Module::find_kernel(const char* name) const
{
    for (const Kernel& kernel : kernels_)
        if (strcmp(kernel.name, name) == 0)
            return &kernel;
    return nullptr;
}

const Symbol* Module::find_symbol(const char* name) const
{
    for (int i = 0; i < table_->symbol_count; ++i)
        if (strcmp(table_->symbols[i].symbol.name, name) == 0)
            return &table_->symbols[i].symbol;
    return nullptr;
}

char* Module::shared_block() const
{
    return static_cast<char*>(table_->dynamic_shared()) - dynamic_offset_;
}

const SharedArray* Module::shared_array_near(size_t offset, const Kernel& kernel) const
{
    const SharedArray* best = nullptr;
    size_t best_distance = SIZE_MAX;
    for (const SharedArray& array : shared_arrays_)
    {
        auto byte = static_cast<int64_t>(offset - array.offset), size = static_cast<int64_t>(array.size);
        auto distance = static_cast<size_t>(byte < 0 ? -byte : byte < size ? 0 : byte - size + 1);
        if (distance < best_distance && uses(kernel, array))
        {
            best = &array;
            best_distance = distance;
        }
    }
    return best;
}

Module* load(const void* image, std::string& error)
{
    Guard guard(lock());
    return Module::load(image, error).release();
}

void unload(Module* module)
{
    Guard guard(lock());
    delete module;
}

const Kernel* find_kernel(Module* module, const char* name)
{
    return module->find_kernel(name);
}

const Symbol* find_symbol(Module* module, const char* name)
{
    return module->find_symbol(name);
}

const std::vector<const Kernel*>& kernels(Module* module)
{
    return module->kernels();
}

} // namespace emu
