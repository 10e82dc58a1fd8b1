#:project ../src/CudaGen.Parity/CudaGen.Parity.csproj

// Compares what this engine computes with golden vectors of PyTorch: outputs, losses, gradients, the first optimizer
// step and a short training run. Exit status 0: all files agree, 1: one does not, 2: a file or flag is wrong.
using CudaGen.Parity;
using CudaGen.Runtime;

const string Usage = "usage: parity.cs [--device cpu|cuda] [--impl auto|reference|cpu|kernel|library] [--precision fp32] [--dump DIR] FILE...";
const int FailuresShown = 10;

string deviceName = "cpu";
string? dump = null;
Implementation implementation = Implementation.Auto;
List<string> files = [];
try
{
    for (int i = 0; i < args.Length; i++)
    {
        string Value() => ++i < args.Length && args[i].Length > 0 ? args[i] : throw new InputException($"{args[i - 1]}: found no value; {Usage}");
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
            case "--precision":
                RequireFloat32(Value());
                break;
            case "--dump":
                dump = Value();
                break;
            case string flag when flag.StartsWith('-'):
                throw new InputException($"{flag}: there is no such flag; {Usage}");
            case "":
                throw new InputException($"found an empty name of a file; {Usage}");
            case string file:
                files.Add(file);
                break;
        }
    }
    if (files.Count == 0)
        throw new InputException($"found no file; {Usage}");

    int[] counts = new int[3];
    int width = files.Max(f => Path.GetFileNameWithoutExtension(f).Length);
    using Device device = Device.Open(deviceName, 0, implementation);
    foreach (string file in files)
        counts[Compare(device, file, width)]++;
    if (files.Count > 1)
        Console.WriteLine($"{files.Count} files: {counts[0]} agree, {counts[1]} {(counts[1] == 1 ? "does" : "do")} not, {counts[2]} could not be compared");
    return Array.FindLastIndex(counts, c => c > 0);
}
catch (CudaGenException e)
{
    Console.Error.WriteLine($"parity: {e.Message}");
    return 2;
}

// A wrong file does not keep the others from being compared.
int Compare(Device device, string file, int width)
{
    try
    {
        ParityReport report = ParityRun.Run(device, GoldenFile.Read(file));
        Console.WriteLine(report.Row(width));
        foreach (Check failure in report.Failures.Take(FailuresShown))
            Console.WriteLine($"     {failure}");
        if (dump is not null)
            report.Dump(dump);
        return report.Passed ? 0 : 1;
    }
    catch (CudaGenException e)
    {
        string where = e.Message.StartsWith(file, StringComparison.Ordinal) ? "" : file + ": ";
        Console.Error.WriteLine($"parity: {where}{e.Message}");
        return 2;
    }
}

// A bound of a product in TF32 or bfloat16 is known, but none that is worth comparing with of losses and gradients behind many layers.
static void RequireFloat32(string precision)
{
    if (precision is "tf32" or "bf16")
        throw new InputException($"--precision: found '{precision}', expected fp32; tolerances are roundings of float32, and a whole step has none in {precision}");
    if (precision != "fp32")
        throw new InputException($"--precision: found '{precision}', expected fp32");
}

static Implementation ParseImplementation(string name) => name switch
{
    "auto" => Implementation.Auto,
    "reference" => Implementation.Reference,
    "cpu" => Implementation.Cpu,
    "kernel" => Implementation.Kernel,
    "library" => Implementation.Library,
    _ => throw new InputException($"--impl: found '{name}', expected auto, reference, cpu, kernel or library"),
};
