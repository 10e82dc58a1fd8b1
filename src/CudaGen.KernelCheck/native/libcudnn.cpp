// libcudnn.cpp - the stand-in of cuDNN: version, errors and handles. Descriptors: libcudnn_descriptors.cpp;
// convolutions: libcudnn_convolution.cpp (what is asked), libcudnn_passes.cpp (the arithmetic); bias:
// libcudnn_bias.cpp.
#include "libcudnn.h"
#include <cstdarg>
#include <cstdio>

using namespace cudnn;

// What cudnnGetLastErrorString hands out, as in cuDNN one for each thread.
static thread_local std::string last_error;

static const struct
{
    int status;
    const char* name;
} statuses[] = {
    {0, "CUDNN_STATUS_SUCCESS"},
    {1001, "CUDNN_STATUS_NOT_INITIALIZED"},
    {1002, "CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH"},
    {1003, "CUDNN_STATUS_SERIALIZATION_VERSION_MISMATCH"},
    {1004, "CUDNN_STATUS_DEPRECATED"},
    {1005, "CUDNN_STATUS_LICENSE_ERROR"},
    {1006, "CUDNN_STATUS_RUNTIME_IN_PROGRESS"},
    {1007, "CUDNN_STATUS_RUNTIME_FP_OVERFLOW"},
    {1008, "CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED"},
    {2000, "CUDNN_STATUS_BAD_PARAM"},
    {2001, "CUDNN_STATUS_INVALID_VALUE"},
    {2002, "CUDNN_STATUS_BAD_PARAM_NULL_POINTER"},
    {2003, "CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER"},
    {2004, "CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED"},
    {2005, "CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND"},
    {2006, "CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT"},
    {2007, "CUDNN_STATUS_BAD_PARAM_STREAM_MISMATCH"},
    {2008, "CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH"},
    {2009, "CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES"},
    {2010, "CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE"},
    {2011, "CUDNN_STATUS_BAD_PARAM_CUDA_GRAPH_MISMATCH"},
    {2012, "CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE"},
    {3000, "CUDNN_STATUS_NOT_SUPPORTED"},
    {3001, "CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN"},
    {3002, "CUDNN_STATUS_NOT_SUPPORTED_SHAPE"},
    {3003, "CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE"},
    {3004, "CUDNN_STATUS_NOT_SUPPORTED_LAYOUT"},
    {3005, "CUDNN_STATUS_NOT_SUPPORTED_INCOMPATIBLE_CUDA_DRIVER"},
    {3006, "CUDNN_STATUS_NOT_SUPPORTED_INCOMPATIBLE_CUDART"},
    {3007, "CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH"},
    {3008, "CUDNN_STATUS_NOT_SUPPORTED_RUNTIME_PREREQUISITE_MISSING"},
    {3009, "CUDNN_STATUS_NOT_SUPPORTED_SUBLIBRARY_UNAVAILABLE"},
    {3010, "CUDNN_STATUS_NOT_SUPPORTED_SHARED_MEMORY_INSUFFICIENT"},
    {3011, "CUDNN_STATUS_NOT_SUPPORTED_PADDING"},
    {3012, "CUDNN_STATUS_NOT_SUPPORTED_BAD_LAUNCH_PARAM"},
    {3013, "CUDNN_STATUS_NOT_SUPPORTED_CUDA_GRAPH_NATIVE_API"},
    {4000, "CUDNN_STATUS_INTERNAL_ERROR"},
    {4001, "CUDNN_STATUS_INTERNAL_ERROR_COMPILATION_FAILED"},
    {4002, "CUDNN_STATUS_INTERNAL_ERROR_UNEXPECTED_VALUE"},
    {4003, "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"},
    {4004, "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"},
    {4005, "CUDNN_STATUS_INTERNAL_ERROR_BAD_LAUNCH_PARAM"},
    {4006, "CUDNN_STATUS_INTERNAL_ERROR_TEXTURE_CREATION_FAILED"},
    {5000, "CUDNN_STATUS_EXECUTION_FAILED"},
    {5001, "CUDNN_STATUS_EXECUTION_FAILED_CUDA_DRIVER"},
    {5002, "CUDNN_STATUS_EXECUTION_FAILED_CUBLAS"},
    {5003, "CUDNN_STATUS_EXECUTION_FAILED_CUDART"},
    {5004, "CUDNN_STATUS_EXECUTION_FAILED_CURAND"},
};

static const char* name_of(int status)
{
    for (const auto& known : statuses)
        if (known.status == status)
            return known.name;
    return "CUDNN_UNKNOWN_STATUS";
}

cudnnStatus_t cudnn::fail(cudnnStatus_t status, const char* function, const char* format, ...)
{
    char reason[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    last_error = std::string(function) + ": " + name_of(status) + ": " + reason;
    emu::explain(reason);
    return status;
}

library::Handles<Context>& cudnn::contexts()
{
    // Never destroyed, like those of descriptors: threads of the program may outlive the library's own end.
    static auto& handles = *new library::Handles<Context>("cuDNN handle", 0xd0000000000);
    return handles;
}

cudnnStatus_t cudnn::submit(const Context& context, const char* function, std::function<emu::Status()> work)
{
    const int status = emu::enqueue(context.stream, function, std::move(work));
    return status == 0 ? CUDNN_STATUS_SUCCESS
                       : fail(CUDNN_STATUS_EXECUTION_FAILED, function, "the stream answered with CUresult %d", status);
}

EXPORT size_t cudnnGetVersion()
{
    emu::call(__func__);
    return 90600;
}

EXPORT const char* cudnnGetErrorString(cudnnStatus_t status)
{
    emu::call(__func__);
    return name_of(status);
}

EXPORT void cudnnGetLastErrorString(char* message, size_t size)
{
    emu::call(__func__);
    if (message == nullptr || size == 0)
        return;
    snprintf(message, size, "%s", last_error.c_str());
    last_error.clear();
}

EXPORT cudnnStatus_t cudnnCreate(cudnnHandle_t* handle)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    if (handle == nullptr)
        return fail(CUDNN_STATUS_BAD_PARAM, __func__, "handle is null");
    if (emu::capturing_anywhere())
        return fail(CUDNN_STATUS_INTERNAL_ERROR, __func__, "it allocates device memory, which a capture forbids");
    *handle = static_cast<cudnnHandle_t>(contexts().add());
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    return contexts().remove(handle) ? CUDNN_STATUS_SUCCESS
                                     : fail(CUDNN_STATUS_NOT_INITIALIZED, __func__, "the handle does not exist");
}

EXPORT cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, CUstream stream)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    if (handle == nullptr)
        return fail(CUDNN_STATUS_BAD_PARAM, __func__, "handle is null");
    return contexts().change(handle, [&](Context& context) { context.stream = stream; })
               ? CUDNN_STATUS_SUCCESS
               : fail(CUDNN_STATUS_NOT_INITIALIZED, __func__, "the handle does not exist");
}

EXPORT cudnnStatus_t cudnnGetStream(cudnnHandle_t handle, CUstream* stream)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    if (handle == nullptr || stream == nullptr)
        return fail(CUDNN_STATUS_BAD_PARAM, __func__, "a pointer is null");
    const auto context = contexts().get(handle);
    if (!context)
        return fail(CUDNN_STATUS_NOT_INITIALIZED, __func__, "the handle does not exist");
    *stream = context->stream;
    return CUDNN_STATUS_SUCCESS;
}
