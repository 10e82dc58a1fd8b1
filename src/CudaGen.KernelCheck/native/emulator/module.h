// module.h - one loaded image: its kernels, its variables, its shared memory, its source lines.
#pragma once
#include "elf.h"
#include "internal.h"
#include <memory>
#include <set>

namespace emu
{

// A __shared__ array, within the block of thread-local data of its module.
struct SharedArray
{
    size_t offset, size;
    std::string name;
};

class Module
{
  public:
    static std::unique_ptr<Module> load(const void* image, std::string& error);
    ~Module();

    const Kernel* find_kernel(const char* name) const;
    const Symbol* find_symbol(const char* name) const;

    bool checked() const
    {
        return table_->checked;
    }
    const std::vector<const Kernel*>& kernels() const
    {
        return kernel_list_;
    }

    // Code addresses count from here.
    uintptr_t base() const
    {
        return base_;
    }
    bool holds(uintptr_t address) const
    {
        return address - base_ < elf_.memory_size;
    }

    // Shared memory of this OS thread. The dynamic part has shared_red_zone bytes more than its size.
    char* shared_block() const;
    size_t shared_block_size() const
    {
        return elf_.thread_local_size;
    }
    size_t dynamic_shared_offset() const
    {
        return dynamic_offset_;
    }
    size_t dynamic_shared_size() const
    {
        return table_->dynamic_shared_size;
    }
    const std::vector<SharedArray>& shared_arrays() const
    {
        return shared_arrays_;
    }
    // Of the arrays that the kernel may touch the one at or next to the byte; null when it has none.
    const SharedArray* shared_array_near(size_t offset, const Kernel& kernel) const;
    // Whether the kernel, or a function that it calls, names the array.
    bool uses(const Kernel& kernel, const SharedArray& array) const;
    // Likewise, whether its lanes meet in __syncwarp, shuffles or votes.
    bool has_warp_operations(const Kernel& kernel) const;

    // Where code addresses come from: "file.cu:17" for each.
    std::vector<std::string> source_lines(const std::vector<uint32_t>& codes) const;

  private:
    struct Uses
    {
        std::vector<bool> arrays;
        bool warp_operations;
    };

    bool open(const void* image, std::string& error);
    bool read_table(std::string& error);
    void read_shared_arrays();
    void find_uses();
    void follow(const ElfSymbol& function, std::set<uint64_t>& reached, Uses& uses) const;
    const Uses& uses_of(const Kernel& kernel) const;
    std::string function_at(uint32_t code) const;

    ElfImage elf_;
    int file_ = -1;
    void* handle_ = nullptr;
    const ModuleTable* table_ = nullptr;
    uintptr_t base_ = 0;
    size_t dynamic_offset_ = 0;
    std::vector<Kernel> kernels_;
    std::vector<const Kernel*> kernel_list_;
    std::vector<SharedArray> shared_arrays_; // by offset
    std::vector<Uses> uses_;                 // of each kernel
};

} // namespace emu
