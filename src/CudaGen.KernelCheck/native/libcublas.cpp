// libcublas.cpp - the stand-in of cuBLAS: handles, their settings and the texts of statuses. Products:
// libcublas_gemm.cpp.
#include "libcublas.h"

using namespace cublas;

library::Handles<Context>& cublas::contexts()
{
    // Never destroyed: threads of the program may outlive the library's own end.
    static auto& handles = *new library::Handles<Context>("cuBLAS handle", 0xb1a5000000);
    return handles;
}

template <class Change> static cublasStatus_t change(cublasHandle_t handle, Change change)
{
    return contexts().change(handle, change) ? CUBLAS_STATUS_SUCCESS
                                             : fail(CUBLAS_STATUS_NOT_INITIALIZED, "the handle does not exist");
}

// Hands a setting out through a pointer of the caller.
template <class Value, class Read> static cublasStatus_t query(cublasHandle_t handle, Value* value, Read read)
{
    const auto context = contexts().get(handle);
    if (!context)
        return fail(CUBLAS_STATUS_NOT_INITIALIZED, "the handle does not exist");
    if (value == nullptr)
        return fail(CUBLAS_STATUS_INVALID_VALUE, "the pointer to the value is null");
    *value = read(*context);
    return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasCreate_v2(cublasHandle_t* handle)
{
    if (const int injected = emu::call(__func__))
        return cublasStatus_t(injected);
    if (handle == nullptr)
        return fail(CUBLAS_STATUS_INVALID_VALUE, "the pointer to the handle is null");
    if (emu::capturing_anywhere())
        return fail(CUBLAS_STATUS_ALLOC_FAILED, "it allocates device memory, which a capture forbids");
    *handle = static_cast<cublasHandle_t>(contexts().add());
    return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasDestroy_v2(cublasHandle_t handle)
{
    if (const int injected = emu::call(__func__))
        return cublasStatus_t(injected);
    return contexts().remove(handle) ? CUBLAS_STATUS_SUCCESS
                                     : fail(CUBLAS_STATUS_NOT_INITIALIZED, "the handle does not exist");
}

// Major, minor, patch.
static const int version_parts[] = {12, 8, 3};

EXPORT cublasStatus_t cublasGetVersion_v2(cublasHandle_t, int* version)
{
    if (const int injected = emu::call(__func__))
        return cublasStatus_t(injected);
    if (version == nullptr)
        return fail(CUBLAS_STATUS_INVALID_VALUE, "the pointer to the version is null");
    *version = version_parts[0] * 10000 + version_parts[1] * 100 + version_parts[2];
    return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasGetProperty(libraryPropertyType type, int* value)
{
    if (const int injected = emu::call(__func__))
        return cublasStatus_t(injected);
    if (value == nullptr || type < MAJOR_VERSION || type > PATCH_LEVEL)
        return fail(CUBLAS_STATUS_INVALID_VALUE, "the pointer to the value is null, or there is no such part");
    *value = version_parts[type];
    return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, CUstream stream)
{
    if (const int injected = emu::call(__func__))
        return cublasStatus_t(injected);
    return change(handle, [&](Context& context) {
        context.stream = stream;
        context.workspace = nullptr; // documented: setting the stream brings the default workspace back
        context.workspace_size = 0;
    });
}

EXPORT cublasStatus_t cublasGetStream_v2(cublasHandle_t handle, CUstream* stream)
{
    if (const int injected = emu::call(__func__))
        return cublasStatus_t(injected);
    return query(handle, stream, [](const Context& context) { return context.stream; });
}

EXPORT cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, size_t size)
{
    if (const int injected = emu::call(__func__))
        return cublasStatus_t(injected);
    if (reinterpret_cast<uintptr_t>(workspace) % 256 != 0 || (workspace == nullptr && size > 0))
        return fail(CUBLAS_STATUS_INVALID_VALUE, "the workspace is null or not aligned to 256 bytes");
    return change(handle, [&](Context& context) {
        context.workspace = workspace;
        context.workspace_size = size;
    });
}

EXPORT cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode)
{
    if (const int injected = emu::call(__func__))
        return cublasStatus_t(injected);
    const int plain = mode & ~CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
    if (plain < CUBLAS_DEFAULT_MATH || plain > CUBLAS_TF32_TENSOR_OP_MATH)
        return fail(CUBLAS_STATUS_INVALID_VALUE, "there is no math mode " + std::to_string(mode));
    return change(handle, [&](Context& context) { context.math_mode = mode; });
}

EXPORT cublasStatus_t cublasGetMathMode(cublasHandle_t handle, cublasMath_t* mode)
{
    if (const int injected = emu::call(__func__))
        return cublasStatus_t(injected);
    return query(handle, mode, [](const Context& context) { return cublasMath_t(context.math_mode); });
}

EXPORT cublasStatus_t cublasSetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t mode)
{
    if (const int injected = emu::call(__func__))
        return cublasStatus_t(injected);
    if (mode != CUBLAS_POINTER_MODE_HOST && mode != CUBLAS_POINTER_MODE_DEVICE)
        return fail(CUBLAS_STATUS_INVALID_VALUE, "there is no pointer mode " + std::to_string(mode));
    return change(handle, [&](Context& context) { context.pointer_mode = mode; });
}

EXPORT cublasStatus_t cublasGetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t* mode)
{
    if (const int injected = emu::call(__func__))
        return cublasStatus_t(injected);
    return query(handle, mode, [](const Context& context) { return context.pointer_mode; });
}

static const struct
{
    cublasStatus_t status;
    const char *name, *text;
} statuses[] = {
    {CUBLAS_STATUS_SUCCESS, "CUBLAS_STATUS_SUCCESS", "success"},
    {CUBLAS_STATUS_NOT_INITIALIZED, "CUBLAS_STATUS_NOT_INITIALIZED", "the library was not initialized"},
    {CUBLAS_STATUS_ALLOC_FAILED, "CUBLAS_STATUS_ALLOC_FAILED", "the resource allocation failed"},
    {CUBLAS_STATUS_INVALID_VALUE, "CUBLAS_STATUS_INVALID_VALUE", "an invalid value or parameter was passed"},
    {CUBLAS_STATUS_ARCH_MISMATCH, "CUBLAS_STATUS_ARCH_MISMATCH", "the device lacks a feature that is required"},
    {CUBLAS_STATUS_MAPPING_ERROR, "CUBLAS_STATUS_MAPPING_ERROR", "an access to device memory failed"},
    {CUBLAS_STATUS_EXECUTION_FAILED, "CUBLAS_STATUS_EXECUTION_FAILED", "the program failed to execute on the device"},
    {CUBLAS_STATUS_INTERNAL_ERROR, "CUBLAS_STATUS_INTERNAL_ERROR", "an internal operation failed"},
    {CUBLAS_STATUS_NOT_SUPPORTED, "CUBLAS_STATUS_NOT_SUPPORTED", "the requested functionality is not supported"},
    {CUBLAS_STATUS_LICENSE_ERROR, "CUBLAS_STATUS_LICENSE_ERROR", "the license check failed"},
};

EXPORT const char* cublasGetStatusName(cublasStatus_t status)
{
    emu::call(__func__);
    for (const auto& known : statuses)
        if (known.status == status)
            return known.name;
    return "unknown cuBLAS status";
}

EXPORT const char* cublasGetStatusString(cublasStatus_t status)
{
    emu::call(__func__);
    for (const auto& known : statuses)
        if (known.status == status)
            return known.text;
    return "unknown cuBLAS status";
}
