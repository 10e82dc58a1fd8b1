// stream_graph.cpp - launches of graphs that captures made.
#include "stream_state.h"
#include <random>

namespace emu
{

namespace
{

// An order that keeps the dependencies. Branches of a graph are free to overtake each other: the settings choose.
std::vector<size_t> order_of(const std::vector<Node>& nodes)
{
    std::vector<size_t> missing(nodes.size()), ready, order;
    std::vector<std::vector<size_t>> followers(nodes.size());
    for (size_t i = 0; i < nodes.size(); ++i)
    {
        missing[i] = nodes[i].after.size();
        for (size_t before : nodes[i].after)
            followers[before].push_back(i);
        if (missing[i] == 0)
            ready.push_back(i);
    }
    static uint64_t round = 0;
    std::mt19937_64 random(settings().seed + round++);
    while (!ready.empty())
    {
        size_t pick = settings().order == Order::Ascending    ? 0
                      : settings().order == Order::Descending ? ready.size() - 1
                                                              : random() % ready.size();
        size_t node = ready[pick];
        ready.erase(ready.begin() + long(pick));
        order.push_back(node);
        for (size_t next : followers[node])
            if (--missing[next] == 0)
                ready.push_back(next);
    }
    return order;
}

Status run_nodes(const std::vector<Node>& nodes)
{
    for (size_t i : order_of(nodes))
    {
        Status status = nodes[i].work();
        if (status == Success)
            continue;
        if (sticky_status() == Success)
            report(status, std::string("graph: ") + nodes[i].what + ": failed with status " + std::to_string(status));
        return sticky_status();
    }
    return Success;
}

} // namespace

int launch_graph(const std::shared_ptr<GraphExec>& exec, CUstream handle)
{
    std::shared_ptr<Stream> stream;
    if (int status = find_stream(handle, stream))
        return status;
    auto work = [nodes = exec->nodes] { return run_nodes(*nodes); };
    if (stream->capture)
        return capture_node(*stream, "cuGraphLaunch", work);
    if (stream == stream->context->legacy)
        if (int status = refuse_implicit(stream->context))
            return status;
    append(stream, "cuGraphLaunch", work, {exec->last});
    exec->last = {stream, stream->given()};
    return CUDA_SUCCESS;
}

} // namespace emu
