// stream_state.h - what the driver keeps: contexts, and in them streams, events, captures and graphs.
//
// Part of libcudagen_emulator.so beside stream.h, for libcuda.so.1 alone: that one checks arguments and calls this.
// Every function here wants driver_lock() held and returns a CUresult unless it says otherwise.
#pragma once
#include "cuda_abi.h"
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

namespace emu
{

// One lock over everything below; recursive, as work that runs under it may be given by enqueue.
EMU_API std::recursive_mutex& driver_lock();

// ---- handles --------------------------------------------------------------------------------------------------------

enum class Kind
{
    Context,
    Stream,
    Event,
    Module,
    Function,
    Graph,
    GraphExec,
};

struct Context;

// Something that a handle names. A handle is a number that is never an address and never used twice, so that one that
// was destroyed, or made up, or names another kind of object is told apart instead of followed.
struct Object
{
    virtual ~Object() = default;
    virtual void destroyed() // its handle was given back; work that was given before may still hold the object
    {
    }
    Context* context = nullptr;
    void* handle = nullptr;
    Kind kind = Kind::Context;
};

EMU_API void* add_object(std::shared_ptr<Object> object, Kind kind, Context* context);
EMU_API std::shared_ptr<Object> find_object(const void* handle, Kind kind); // null when there is none
EMU_API void remove_object(const void* handle);

template <class T> void* add(std::shared_ptr<T> object, Context* context)
{
    return add_object(std::move(object), T::kind_of, context);
}

template <class T> std::shared_ptr<T> find_handle(const void* handle)
{
    return std::static_pointer_cast<T>(find_object(handle, T::kind_of));
}

// What is alive and nobody destroyed, and what was alive when its context went; one line each.
EMU_API std::vector<std::string> leaks();
EMU_API void forget_leaks_of_destroyed_contexts();

// ---- streams --------------------------------------------------------------------------------------------------------

struct Stream;
struct Capture;

// A point in a stream's work; reached when that many operations are done.
struct Mark
{
    std::shared_ptr<Stream> stream;
    uint64_t position = 0;
    bool reached() const;
};

struct Operation
{
    const char* what;
    std::function<Status()> work;
    std::vector<Mark> after; // in other streams; all were given before this operation, so there is no cycle
};

struct Stream : Object
{
    static constexpr Kind kind_of = Kind::Stream;
    bool blocking = true; // ordered with the legacy stream
    bool closed = false;  // destroyed: runs what it was given and goes
    std::deque<Operation> pending;
    uint64_t done = 0;
    std::shared_ptr<Capture> capture; // null when the stream is not capturing
    std::vector<size_t> frontier;     // nodes of the capture that the next one depends on

    uint64_t given() const
    {
        return done + pending.size();
    }
    void drop_pending() // counts as done, as other contexts may wait for it
    {
        done = given();
        pending.clear();
    }
};

inline bool Mark::reached() const
{
    return !stream || stream->done >= position;
}

EMU_API int create_stream(Context* context, bool blocking, void** handle);
EMU_API int destroy_stream(CUstream handle);

// The stream of a handle: 0 and CU_STREAM_LEGACY are the legacy stream of the current context, CU_STREAM_PER_THREAD the
// one of this thread.
EMU_API int find_stream(CUstream handle, std::shared_ptr<Stream>& stream);

EMU_API int append(const std::shared_ptr<Stream>& stream, const char* what, std::function<Status()> work,
                   std::vector<Mark> after = {});

// Runs what a wait for the mark has to run and nothing else; Success or the sticky status.
EMU_API int run_until(const Mark& mark);

// The marks that a wait for the stream waits for: its own work, and for the legacy stream that of all blocking streams.
EMU_API std::vector<Mark> awaited(const std::shared_ptr<Stream>& stream);

EMU_API int synchronize(const std::shared_ptr<Stream>& stream);
EMU_API int query(const std::shared_ptr<Stream>& stream);
EMU_API int synchronize_context(Context* context);

// The legacy stream takes a synchronous copy or fill; `wait` when the call returns only after it.
EMU_API int run_synchronously(const char* what, bool wait, std::function<Status()> work);

// Set while a function given to cuLaunchHostFunc runs: it must not call CUDA.
EMU_API bool& in_host_function();

// Bytes of memory that the device has; more is refused.
EMU_API size_t device_memory();
EMU_API void set_device_memory(size_t bytes);

// Says why the call that is about to fail fails, where its status says too little; cudagen_explanation gives it.
EMU_API void explain(const std::string& reason);

// ---- contexts -------------------------------------------------------------------------------------------------------

struct Context : Object
{
    static constexpr Kind kind_of = Kind::Context;
    bool primary = false;
    bool active = false; // false: destroyed, or a primary context that nobody retains
    int retained = 0;
    std::shared_ptr<Stream> legacy;
    std::map<std::thread::id, std::shared_ptr<Stream>> per_thread;
    std::vector<std::shared_ptr<Stream>>
        streams; // all of them in the order of creation, destroyed ones until they are done
    std::map<void*, Space> allocations;
};

EMU_API Context* primary_context();
EMU_API Context* create_context();
EMU_API void activate(Context* context);
EMU_API void destroy_context(Context* context); // with everything in it; what that was, is a leak

EMU_API std::vector<CUcontext>& context_stack(); // of this thread
EMU_API int current_context(Context*& context);  // 201 without one, 709 when it was destroyed

// ---- events ---------------------------------------------------------------------------------------------------------

struct Event : Object
{
    static constexpr Kind kind_of = Kind::Event;
    struct Record
    {
        Mark mark;
        std::chrono::steady_clock::time_point time;
    };
    bool timing = true;
    std::shared_ptr<Record> record;   // the last one outside of captures
    std::shared_ptr<Capture> capture; // null unless the event was last recorded in one: then it stands for the frontier
    std::vector<size_t> frontier;
};

EMU_API int record_event(const std::shared_ptr<Event>& event, CUstream stream);
EMU_API int wait_event(CUstream stream, const std::shared_ptr<Event>& event);
EMU_API int synchronize_event(const std::shared_ptr<Event>& event);
EMU_API int query_event(const std::shared_ptr<Event>& event);
EMU_API int elapsed_time(const Event& start, const Event& end, float* milliseconds);

// ---- captures and graphs --------------------------------------------------------------------------------------------

struct Node
{
    const char* what;
    std::function<Status()> work;
    std::vector<size_t> after; // earlier nodes
};

struct Capture
{
    CUstreamCaptureMode mode;
    std::thread::id thread;
    std::shared_ptr<Stream> origin;
    std::vector<std::shared_ptr<Stream>> streams;
    std::vector<Node> nodes;
    bool invalidated = false;
    bool ended = false;
};

struct Graph : Object
{
    static constexpr Kind kind_of = Kind::Graph;
    std::shared_ptr<const std::vector<Node>> nodes;
};

struct GraphExec : Object
{
    static constexpr Kind kind_of = Kind::GraphExec;
    std::shared_ptr<const std::vector<Node>> nodes;
    Mark last; // launches of one executable graph run one after the other
};

EMU_API int begin_capture(CUstream stream, CUstreamCaptureMode mode);
EMU_API int end_capture(CUstream stream, void** graph);
EMU_API int capture_status(CUstream stream, CUstreamCaptureStatus* status);
EMU_API CUstreamCaptureMode& thread_capture_mode();

// Refusals, which invalidate the captures that they protect.
EMU_API int refuse_unsafe();                         // 900: a call that a capture in the way cannot see
EMU_API int refuse_capturing(const Stream& stream);  // 900 or 901: a wait for, or a query of, a capturing stream
EMU_API int refuse_context(const Context* context);  // 900: a wait for everything while a stream captures
EMU_API int refuse_implicit(const Context* context); // 906: use of the legacy stream while a blocking stream captures

void invalidate(Capture& capture);
void leave_capture(const std::shared_ptr<Stream>& stream); // of a stream that is destroyed
int capture_node(Stream& stream, const char* what, std::function<Status()> work);
int capture_wait(const std::shared_ptr<Stream>& stream, Event& event);

EMU_API int launch_graph(const std::shared_ptr<GraphExec>& exec, CUstream stream);

} // namespace emu
