// libcudnn_convolution.h - what a program asks for with a handle and four descriptors, and which algorithms can do it.
#pragma once
#include "libcudnn_passes.h"

namespace cudnn
{

enum class Pass
{
    Forward,
    BackwardData,
    BackwardFilter,
};

struct Problem
{
    const char* function;
    Pass pass;
    Context context = {};
    Geometry geometry = {};
};

// Reads handle and descriptors, and checks that they fit each other as NVIDIA documents it for this pass.
cudnnStatus_t describe(cudnnHandle_t handle, cudnnTensorDescriptor_t xDesc, cudnnFilterDescriptor_t wDesc,
                       cudnnConvolutionDescriptor_t convDesc, cudnnTensorDescriptor_t yDesc, Problem& problem);

// Rows or columns of the output.
int output_extent(int input, int pad, int kernel, int dilation, int stride);

// Why an algorithm cannot do it; null when it can.
const char* unsupported(const Problem& problem, int algorithm);

bool deterministic(Pass pass, int algorithm);

// Bytes that the algorithm wants from the caller.
size_t workspace_size(const Problem& problem, int algorithm);

} // namespace cudnn
