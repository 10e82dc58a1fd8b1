// libcuda_module.cpp - modules, and what can be asked of their functions.
#include "libcuda_module.h"
#include <algorithm>
#include <cstring>

using namespace driver;

namespace
{

constexpr int DefaultShared = 49152; // bytes of a block; more has to be asked for, up to the other
constexpr int LargestShared = 232448;

// A body for an existing module.
template <class Body> CUresult of_module(const char* name, CUmodule handle, Needs needs, Body body)
{
    return enter(name, needs, [&] {
        std::shared_ptr<Module> module = emu::find_handle<Module>(handle);
        return module ? CUresult(body(*module)) : CUDA_ERROR_INVALID_HANDLE;
    });
}

// Writes the reason into the buffer that CU_JIT_ERROR_LOG_BUFFER gives, if any.
void write_error_log(const std::string& error, unsigned count, const int* options, void** values)
{
    enum // CUjit_option
    {
        ERROR_LOG_BUFFER = 5,
        ERROR_LOG_BUFFER_SIZE_BYTES = 6,
    };
    char* buffer = nullptr;
    size_t size = 0;
    for (unsigned i = 0; i < count; ++i)
        if (options[i] == ERROR_LOG_BUFFER)
            buffer = static_cast<char*>(values[i]);
        else if (options[i] == ERROR_LOG_BUFFER_SIZE_BYTES)
            size = reinterpret_cast<size_t>(values[i]);
    if (!buffer || size == 0)
        return;
    size_t length = std::min(error.size(), size - 1);
    std::memcpy(buffer, error.data(), length);
    buffer[length] = 0;
}

CUresult load(const char* name, CUmodule* module, const void* image, unsigned count, const int* options, void** values)
{
    return enter(name, Needs::Work, [&](emu::Context* context) {
        if (!module || !image || (count != 0 && (!options || !values)))
            return int(CUDA_ERROR_INVALID_VALUE);
        if (int refused = emu::refuse_unsafe())
            return refused;
        std::string error;
        emu::Module* loaded = emu::load(image, error);
        if (!loaded)
        {
            emu::explain(error);
            write_error_log(error, count, options, values);
            return int(CUDA_ERROR_INVALID_IMAGE);
        }
        auto object = std::make_shared<Module>();
        object->image = loaded;
        *module = static_cast<CUmodule>(emu::add(object, context));
        return int(CUDA_SUCCESS);
    });
}

void* add_function(const std::shared_ptr<Module>& module, const emu::Kernel* kernel)
{
    auto function = std::make_shared<Function>();
    function->module = module;
    function->kernel = kernel;
    function->name = kernel->name;
    function->max_dynamic_shared = DefaultShared - int(kernel->static_shared);
    return emu::add(function, module->context);
}

int attribute_of(const Function& function, int attribute, int* value)
{
    switch (attribute) // CUfunction_attribute
    {
    case 0: // MAX_THREADS_PER_BLOCK
        *value = threads_of(function);
        break;
    case 1: // SHARED_SIZE_BYTES
        *value = int(function.kernel->static_shared);
        break;
    case 2: // CONST_SIZE_BYTES
    case 3: // LOCAL_SIZE_BYTES
    case 7: // CACHE_MODE_CA
        *value = 0;
        break;
    case 4: // NUM_REGS: unknown here, a usual number
        *value = 32;
        break;
    case 5: // PTX_VERSION
    case 6: // BINARY_VERSION
        *value = 90;
        break;
    case 8: // MAX_DYNAMIC_SHARED_SIZE_BYTES
        *value = function.max_dynamic_shared;
        break;
    case 9: // PREFERRED_SHARED_MEMORY_CARVEOUT
        *value = function.carveout;
        break;
    default:
        return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}

int set_attribute(Function& function, int attribute, int value)
{
    if (attribute == 8 && value >= 0 && value + int(function.kernel->static_shared) <= LargestShared)
        function.max_dynamic_shared = value;
    else if (attribute == 9 && value >= -1 && value <= 100)
        function.carveout = value;
    else
        return CUDA_ERROR_INVALID_VALUE;
    return CUDA_SUCCESS;
}

} // namespace

CUDA_API CUresult cuModuleLoadData(CUmodule* module, const void* image)
{
    return load("cuModuleLoadData", module, image, 0, nullptr, nullptr);
}

CUDA_API CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned numOptions, int* options,
                                     void** optionValues)
{
    return load("cuModuleLoadDataEx", module, image, numOptions, options, optionValues);
}

CUDA_API CUresult cuModuleUnload(CUmodule hmod)
{
    return of_module("cuModuleUnload", hmod, Needs::Context, [&](Module&) {
        emu::remove_object(hmod);
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuModuleGetFunction(CUfunction* hfunc, CUmodule hmod, const char* name)
{
    return of_module("cuModuleGetFunction", hmod, Needs::Work, [&](Module& module) {
        if (!hfunc || !name)
            return CUDA_ERROR_INVALID_VALUE;
        const emu::Kernel* kernel = emu::find_kernel(module.image, name);
        if (!kernel)
            return CUDA_ERROR_NOT_FOUND;
        void*& function = module.functions[kernel];
        if (!function)
            function = add_function(emu::find_handle<Module>(hmod), kernel);
        *hfunc = static_cast<CUfunction>(function);
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuModuleGetGlobal_v2(CUdeviceptr* dptr, size_t* bytes, CUmodule hmod, const char* name)
{
    return of_module("cuModuleGetGlobal_v2", hmod, Needs::Work, [&](Module& module) {
        if ((!dptr && !bytes) || !name)
            return CUDA_ERROR_INVALID_VALUE;
        const emu::Symbol* symbol = emu::find_symbol(module.image, name);
        if (!symbol)
            return CUDA_ERROR_NOT_FOUND;
        if (dptr)
            *dptr = reinterpret_cast<CUdeviceptr>(symbol->address);
        if (bytes)
            *bytes = symbol->size;
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuModuleGetLoadingMode(int* mode)
{
    return enter("cuModuleGetLoadingMode", Needs::Nothing, [&] {
        if (!mode)
            return CUDA_ERROR_INVALID_VALUE;
        *mode = 1; // CU_MODULE_EAGER_LOADING
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuFuncGetAttribute(int* pi, int attrib, CUfunction hfunc)
{
    return of_function("cuFuncGetAttribute", hfunc, Needs::Work, [&](Function& function) {
        return pi ? attribute_of(function, attrib, pi) : CUDA_ERROR_INVALID_VALUE;
    });
}

CUDA_API CUresult cuFuncSetAttribute(CUfunction hfunc, int attrib, int value)
{
    return of_function("cuFuncSetAttribute", hfunc, Needs::Work,
                       [&](Function& function) { return set_attribute(function, attrib, value); });
}

CUDA_API CUresult cuFuncGetParamInfo(CUfunction func, size_t paramIndex, size_t* paramOffset, size_t* paramSize)
{
    return of_function("cuFuncGetParamInfo", func, Needs::Work, [&](Function& function) {
        if (!paramOffset || paramIndex >= size_t(function.kernel->parameter_count))
            return CUDA_ERROR_INVALID_VALUE;
        const emu::Parameter& parameter = function.kernel->parameters[paramIndex];
        *paramOffset = parameter.offset;
        if (paramSize)
            *paramSize = parameter.size;
        return CUDA_SUCCESS;
    });
}
