// stream.h - streams, events, graphs and the count of native calls: what libcuda.so.1, libcublas.so.12 and
// libcudnn.so.9 of the stand-ins share. Implemented in libcudagen_emulator.so.
//
// Work given to a stream is deferred: it runs, in order, when the host waits for it (stream, event or context
// synchronisation, a synchronous copy), or when cuStreamQuery or cuEventQuery is polled, and not a moment earlier. So a
// program that forgot to wait sees memory that nobody wrote.
#pragma once
#include "emulator.h"
#include <functional>

typedef struct CUstream_st* CUstream;

namespace emu
{

// Appends work to a stream, or adds a node to the graph that the stream is capturing. `work` must hold copies of
// everything that it needs. It returns a status; anything but Success sticks. `what` names it in reports. Returns a
// CUresult: Success, 400 (invalid handle), 900-range capture errors, or the sticky status.
EMU_API int enqueue(CUstream stream, const char* what, std::function<Status()> work);

// Whether the stream is capturing (work that a capture forbids, such as allocation, must be refused then with 900).
EMU_API bool capturing(CUstream stream);

// Whether any stream captures in global mode: then cuMemAlloc, synchronisation and the like are refused everywhere.
EMU_API bool capturing_anywhere();

// First line of every exported function of every stand-in: counts the call, writes it to the call log, and returns the
// status with which this call shall fail, or 0. Set from the environment: CUDAGEN_CHECK_FAIL="name:n:status[,...]": the
// nth call (from 1) of a name fails with a status (a number of that library's own status type);
// CUDAGEN_CHECK_CALLS=FILE: at the exit of the process the names and numbers of calls are written there, one "name
// count" a line, in the order of first calls.
EMU_API int call(const char* name);

// Keeps why the call that this thread is in will fail, for cudagen_explanation.
EMU_API void explain(const std::string& reason);

// An object of a library beside the driver, such as "cuDNN handle 2": cudagen_leaks lists it until it is let go.
EMU_API void hold(const void* handle, const std::string& name);
EMU_API void let_go(const void* handle);

} // namespace emu

// ---- C interface for programs that drive the stand-ins (through libcudagen_emulator.so)
// ------------------------------
extern "C"
{
    EMU_API const char* cudagen_description(void); // "CPU stand-in, checked" and the like: for the device line
    EMU_API const char* cudagen_build_id(void);    // changes with the sources and flags of the stand-ins
    EMU_API int cudagen_configure(const char* key,
                                  const char* value); // key: mode, order, contract, preempt, workers,
                                                      // poison, races, unset, fail, memory (bytes); 0 = understood
    EMU_API int cudagen_report_count(void);
    EMU_API const char* cudagen_report(int i);
    EMU_API void cudagen_clear_reports(void); // also forgets the sticky status
    EMU_API const char* cudagen_explanation(
        void); // of the last call of this thread that failed without a report; may be ""
    EMU_API long cudagen_call_count(const char* name);    // null: all names
    EMU_API int cudagen_call_names(char* text, int size); // names, one a line; returns the length needed
    EMU_API int cudagen_leaks(char* text, int size);      // live allocations, handles; returns their number
}
