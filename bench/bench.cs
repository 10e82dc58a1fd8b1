#:project ../src/CudaGen.Bench/CudaGen.Bench.csproj

// How fast a training step is, beside PyTorch on the same machine and beside what the machine can do at most.
//
// The two sides take turns, because machines drift; what counts is the ratio within one run. On a CPU, PyTorch runs as a
// server in a process of its own (bench/torch_peer.py), or as any command that writes its times (--peer). On a GPU,
// docs/cuda.md tells what is measured.

using CudaGen.Bench;
using CudaGen.Training;

return Executable.Run(() => BenchCommand.Run(args));
