// process.cpp - runs another program and collects what it writes.
#include "process.h"
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace emu
{

namespace
{

bool same_variable(const char* a, const std::string& b)
{
    size_t length = b.find('=');
    return length != std::string::npos && strncmp(a, b.c_str(), length + 1) == 0;
}

std::vector<char*> make_environment(const std::vector<std::string>& changes)
{
    std::vector<char*> result;
    for (char** variable = environ; *variable; ++variable)
    {
        bool changed = false;
        for (const std::string& change : changes)
            changed = changed || same_variable(*variable, change);
        if (!changed)
            result.push_back(*variable);
    }
    for (const std::string& change : changes)
        result.push_back(const_cast<char*>(change.c_str()));
    result.push_back(nullptr);
    return result;
}

std::string read_all(int descriptor)
{
    std::string text;
    char buffer[4096];
    for (;;)
    {
        ssize_t count = read(descriptor, buffer, sizeof buffer);
        if (count > 0)
            text.append(buffer, static_cast<size_t>(count));
        else if (count == 0 || errno != EINTR)
            return text;
    }
}

int wait_for(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1; // ECHILD: the host process reaps all its children
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// The child starts with no blocked and no ignored signals, whatever this process does with its own.
void set_signals(posix_spawnattr_t& attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

void set_files(posix_spawn_file_actions_t& files, int output, const ProcessRequest& request)
{
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    if (request.errors_too)
        posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
    else
        posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (!request.folder.empty())
        posix_spawn_file_actions_addchdir_np(&files, request.folder.c_str());
    if (request.descriptor >= 0)
        posix_spawn_file_actions_adddup2(&files, request.descriptor, 3);
}

// A pipe whose ends lie above the numbers that the child's files get.
bool open_pipe(int ends[2])
{
    int low[2];
    if (pipe2(low, O_CLOEXEC) != 0)
        return false;
    for (int i = 0; i < 2; ++i)
    {
        ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 10);
        close(low[i]);
    }
    if (ends[0] >= 0 && ends[1] >= 0)
        return true;
    for (int i = 0; i < 2; ++i)
        if (ends[i] >= 0)
            close(ends[i]);
    return false;
}

} // namespace

ProcessResult run_process(const ProcessRequest& request)
{
    ProcessResult result;
    int ends[2];
    if (!open_pipe(ends))
        return result;

    std::vector<char*> command;
    for (const std::string& argument : request.command)
        command.push_back(const_cast<char*>(argument.c_str()));
    command.push_back(nullptr);
    std::vector<char*> environment = make_environment(request.environment);

    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&files);
    set_signals(attributes);
    set_files(files, ends[1], request);
    pid_t child;
    result.started = posix_spawnp(&child, command[0], &files, &attributes, command.data(), environment.data()) == 0;
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);

    close(ends[1]);
    if (result.started)
    {
        result.output = read_all(ends[0]);
        result.status = wait_for(child);
    }
    close(ends[0]);
    return result;
}

} // namespace emu
