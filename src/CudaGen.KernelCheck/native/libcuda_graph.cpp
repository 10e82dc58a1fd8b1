// libcuda_graph.cpp - graphs that captures made, and their executable form.
#include "libcuda.h"
#include <algorithm>

using namespace driver;

namespace
{

std::shared_ptr<emu::Graph> find_graph(CUgraph handle)
{
    return emu::find_handle<emu::Graph>(handle);
}

std::shared_ptr<emu::GraphExec> find_exec(CUgraphExec handle)
{
    return emu::find_handle<emu::GraphExec>(handle);
}

} // namespace

CUDA_API CUresult cuGraphInstantiateWithFlags(CUgraphExec* phGraphExec, CUgraph hGraph, unsigned long long flags)
{
    constexpr unsigned long long Known = 1 | 8; // AUTO_FREE_ON_LAUNCH, USE_NODE_PRIORITY: nothing to do for either
    return enter("cuGraphInstantiateWithFlags", Needs::Work, [&](emu::Context* context) {
        std::shared_ptr<emu::Graph> graph = find_graph(hGraph);
        if (!graph)
            return CUDA_ERROR_INVALID_HANDLE;
        if (!phGraphExec || (flags & ~Known) != 0)
            return CUDA_ERROR_INVALID_VALUE;
        auto exec = std::make_shared<emu::GraphExec>();
        exec->nodes = graph->nodes;
        *phGraphExec = static_cast<CUgraphExec>(emu::add(exec, context));
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuGraphLaunch(CUgraphExec hGraphExec, CUstream hStream)
{
    return enter("cuGraphLaunch", Needs::Work, [&] {
        std::shared_ptr<emu::GraphExec> exec = find_exec(hGraphExec);
        return exec ? emu::launch_graph(exec, hStream) : CUDA_ERROR_INVALID_HANDLE;
    });
}

// There is nowhere to upload to.
CUDA_API CUresult cuGraphUpload(CUgraphExec hGraphExec, CUstream hStream)
{
    return enter("cuGraphUpload", Needs::Work, [&] {
        std::shared_ptr<emu::Stream> stream;
        if (!find_exec(hGraphExec))
            return int(CUDA_ERROR_INVALID_HANDLE);
        int status = emu::find_stream(hStream, stream);
        return status ? status : emu::refuse_capturing(*stream);
    });
}

CUDA_API CUresult cuGraphDestroy(CUgraph hGraph)
{
    return enter("cuGraphDestroy", Needs::Init, [&] {
        if (!find_graph(hGraph))
            return CUDA_ERROR_INVALID_HANDLE;
        emu::remove_object(hGraph);
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuGraphExecDestroy(CUgraphExec hGraphExec)
{
    return enter("cuGraphExecDestroy", Needs::Init, [&] {
        if (!find_exec(hGraphExec))
            return CUDA_ERROR_INVALID_HANDLE;
        emu::remove_object(hGraphExec);
        return CUDA_SUCCESS;
    });
}

// Handles of nodes are good for counting: no function of the stand-in takes one.
CUDA_API CUresult cuGraphGetNodes(CUgraph hGraph, CUgraphNode* nodes, size_t* numNodes)
{
    return enter("cuGraphGetNodes", Needs::Init, [&] {
        std::shared_ptr<emu::Graph> graph = find_graph(hGraph);
        if (!graph)
            return CUDA_ERROR_INVALID_HANDLE;
        if (!numNodes)
            return CUDA_ERROR_INVALID_VALUE;
        size_t count = graph->nodes->size();
        if (!nodes)
        {
            *numNodes = count;
            return CUDA_SUCCESS;
        }
        for (size_t i = 0; i < *numNodes; ++i)
            nodes[i] =
                i < count ? reinterpret_cast<CUgraphNode>(reinterpret_cast<uintptr_t>(hGraph) + (i + 1)) : nullptr;
        *numNodes = std::min(*numNodes, count);
        return CUDA_SUCCESS;
    });
}
