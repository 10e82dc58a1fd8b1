// libcuda_module.h - modules and functions, as loading and launching share them.
#pragma once
#include "libcuda.h"

namespace driver
{

struct Module : emu::Object
{
    static constexpr emu::Kind kind_of = emu::Kind::Module;
    emu::Module* image;                            // null when unloaded
    std::map<const emu::Kernel*, void*> functions; // handles
    void destroyed() override
    {
        for (const auto& function : functions)
            emu::remove_object(function.second);
        emu::unload(image);
        image = nullptr;
    }
};

struct Function : emu::Object
{
    static constexpr emu::Kind kind_of = emu::Kind::Function;
    std::shared_ptr<Module> module;
    const emu::Kernel* kernel;
    std::string name; // lives on when the module is unloaded
    int max_dynamic_shared;
    int carveout = -1; // no preference
};

inline int threads_of(const Function& function)
{
    return function.kernel->launch_bound > 0 ? function.kernel->launch_bound : 1024;
}

// A body for an existing function.
template <class Body> CUresult of_function(const char* name, CUfunction handle, Needs needs, Body body)
{
    return enter(name, needs, [&] {
        std::shared_ptr<Function> function = emu::find_handle<Function>(handle);
        return function ? CUresult(body(*function)) : CUDA_ERROR_INVALID_HANDLE;
    });
}

} // namespace driver
