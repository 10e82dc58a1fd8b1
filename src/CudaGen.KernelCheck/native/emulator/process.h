// process.h - runs another program and collects what it writes.
#pragma once
#include "../emulator.h"
#include <string>
#include <vector>

namespace emu
{

struct ProcessRequest
{
    std::vector<std::string> command;     // the program is looked up in PATH
    std::vector<std::string> environment; // NAME=value, over the environment of this process
    std::string folder;                   // to work in, or that of this process
    bool errors_too = false;              // collect standard error together with standard output, or drop it
    int descriptor = -1;                  // an open file of this process that the program sees as number 3
};

struct ProcessResult
{
    bool started = false;
    int status = 0; // exit status; -1: killed, or somebody else collected it
    std::string output;
};

// Safe in a process with other threads and with a SIGCHLD handler of its own.
EMU_API ProcessResult run_process(const ProcessRequest& request);

} // namespace emu
