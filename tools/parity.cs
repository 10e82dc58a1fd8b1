#:project ../src/CudaGen.Parity/CudaGen.Parity.csproj

// Compares what this engine computes with golden vectors of PyTorch: outputs, losses, gradients, the first optimizer
// step and a short training run. Exit status 0: all files agree, 1: one does not, 2: a file or flag is wrong.
using CudaGen.Parity;
using CudaGen.Runtime;

const string Usage = "usage: parity.cs [--device cpu|cuda] [--impl auto|reference|cpu|kernel|library] [--dump DIR] FILE...";
const int FailuresShown = 10;

string deviceName = "cpu";
string? dump = null;
Implementation implementation = Implementation.Auto;
List<string> files = [];
try
{
    for (int i = 0; i < args.Length; i++)
    {
        string Value() => ++i < args.Length ? args[i] : throw new InputException($"{args[i - 1]}: found nothing after it; {Usage}");
        switch (args[i])
        {
            case "--help" or "-h":
                Console.WriteLine(Usage);
                return 0;
            case "--device":
                deviceName = Value();
                break;
            case "--impl":
                implementation = ParseImplementation(Value());
                break;
            case "--dump":
                dump = Value();
                break;
            case string flag when flag.StartsWith('-'):
                throw new InputException($"found flag '{flag}'; {Usage}");
            case string file:
                files.Add(file);
                break;
        }
    }
    if (files.Count == 0)
        throw new InputException($"found no file; {Usage}");

    int status = 0;
    using Device device = Device.Open(deviceName, 0, implementation);
    foreach (string file in files)
        status = Math.Max(status, Compare(device, file));
    return status;
}
catch (CudaGenException e)
{
    Console.Error.WriteLine($"parity: {e.Message}");
    return 2;
}

// A wrong file does not keep the others from being compared.
int Compare(Device device, string file)
{
    try
    {
        ParityReport report = ParityRun.Run(device, GoldenFile.Read(file));
        Console.WriteLine(report);
        foreach (Check failure in report.Failures.Take(FailuresShown))
            Console.WriteLine($"     {failure}");
        if (dump is not null)
            report.Dump(dump);
        return report.Passed ? 0 : 1;
    }
    catch (InputException e)
    {
        Console.Error.WriteLine($"parity: {e.Message}");
        return 2;
    }
    catch (CudaGenException e)
    {
        Console.Error.WriteLine($"parity: {file}: {e.Message}");
        return 2;
    }
}

static Implementation ParseImplementation(string name) => name switch
{
    "auto" => Implementation.Auto,
    "reference" => Implementation.Reference,
    "cpu" => Implementation.Cpu,
    "kernel" => Implementation.Kernel,
    "library" => Implementation.Library,
    _ => throw new InputException($"--impl {name}: expected auto, reference, cpu, kernel or library"),
};
