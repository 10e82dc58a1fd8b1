#:project ../src/CudaGen.KernelCheck/CudaGen.KernelCheck.csproj

// Checks CUDA kernels without a GPU, and builds the libraries that stand in for NVIDIA's. Exit status 0: all is well,
// 1: something was found, 2: a file or flag is wrong.
using CudaGen.KernelCheck;
using CudaGen.Runtime;

try
{
    switch (args)
    {
        case [not WorkerCommand.Name, ..] when args.Any(a => a is "--help" or "-h"):
            Console.WriteLine(CheckOptions.Usage);
            return 0;
        case ["stand-ins"] or ["stand-ins", "--checked"]:
            Console.WriteLine(StandIns.Build(check: args.Length == 2));
            return 0;
        case ["stand-ins", ..]:
            throw new InputException($"stand-ins: found '{args[1]}', expected --checked or nothing");
        // The process of one file, which this program starts itself.
        case [WorkerCommand.Name, .. string[] job]:
            WorkerCommand.Run(job, Console.Out);
            return 0;
        default:
            return CheckCommand.Run(CheckOptions.Parse(args), Console.Out);
    }
}
catch (CudaGenException e)
{
    Console.Error.WriteLine($"kernelcheck: {e.Message}");
    return 2;
}
