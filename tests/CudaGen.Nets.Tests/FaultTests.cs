using System.Globalization;
using CudaGen.KernelCheck;
using CudaGen.Runtime;
using CudaGen.Tests;

namespace CudaGen.Nets.Tests;

/// <summary>
/// Every native call of a short training run fails once, at its first, second, middle and last call: each time there is
/// one error that names the call, nothing is left behind, and the file is whole or absent.
/// </summary>
public sealed class FaultTests
{
    private static readonly ConvSizes Small = new(8, 3, 4, 5);

    // What gives back. A failure of these must not hide why they were called, and there is nothing better to do.
    private static readonly string[] GivesBack =
        ["cuMemFree_v2", "cuStreamDestroy_v2", "cuModuleUnload", "cuGraphDestroy", "cuGraphExecDestroy", "cuDevicePrimaryCtxRelease_v2",
        "nvrtcDestroyProgram", "cublasDestroy_v2", "cudnnDestroy", "cudnnDestroyTensorDescriptor", "cudnnDestroyFilterDescriptor",
        "cudnnDestroyConvolutionDescriptor"];

    // NVIDIA's name, as the stand-ins export it.
    private static int StatusFor(string function) => function.StartsWith("nvrtc", StringComparison.Ordinal) ? 11 // INTERNAL_ERROR
        : function.StartsWith("cublas", StringComparison.Ordinal) ? 14 // INTERNAL_ERROR
        : function.StartsWith("cudnn", StringComparison.Ordinal) ? 5000 // EXECUTION_FAILED
        : 719; // LAUNCH_FAILED

    [Theory]
    [InlineData(Implementation.Kernel)]
    [InlineData(Implementation.Library)]
    public void Any_native_call_may_fail(Implementation implementation)
    {
        StandInControl control = TestCuda.RequireStandIn();
        using var folder = new TemporaryFolder();
        string path = folder["state.safetensors"];
        // Faults are found in any mode; the checks of kernels are for other tests.
        using IDisposable fast = TestCuda.Unchecked();
        try
        {
            Train(implementation, path);
            File.Delete(path);
            Dictionary<string, long> before = Counts(control);
            Train(implementation, path);
            (string Name, long Calls)[] used = [.. Counts(control).Select(c => (c.Key, c.Value - before.GetValueOrDefault(c.Key))).Where(c => c.Item2 > 0)];
            Assert.True(used.Length > 25, $"only {used.Length} native functions were called");
            foreach ((string name, long calls) in used)
            {
                foreach (long nth in new[] { 1, 2, (calls + 1) / 2, calls }.Where(n => n <= calls).Distinct())
                    FailOnce(control, implementation, path, name, nth);
            }
            TestContext.Current.TestOutputHelper?.WriteLine(string.Join(", ", used.Select(c => $"{c.Name} {c.Calls}")));
        }
        finally
        {
            control.FailNothing();
            control.Clear();
        }
    }

    [Fact]
    public void Any_call_of_the_compiler_may_fail()
    {
        StandInControl control = TestCuda.RequireStandIn();
        string? cache = Environment.GetEnvironmentVariable("CUDAGEN_CACHE");
        try
        {
            foreach (string name in new[] { "nvrtcVersion", "nvrtcCreateProgram", "nvrtcCompileProgram", "nvrtcGetCUBINSize", "nvrtcGetCUBIN",
                "nvrtcGetProgramLogSize", "nvrtcGetProgramLog", "nvrtcDestroyProgram" })
            {
                using var folder = new TemporaryFolder();
                Environment.SetEnvironmentVariable("CUDAGEN_CACHE", folder.Path);
                control.Fail(name, 1, StatusFor(name));
                Exception? thrown = Record.Exception(Compile);
                // The log is only asked for where something is wrong with the text.
                if (name is "nvrtcDestroyProgram" or "nvrtcGetProgramLogSize" or "nvrtcGetProgramLog")
                    Assert.Null(thrown);
                else
                    Assert.Contains(name == "nvrtcCompileProgram" ? "wrong.cu" : name, Assert.IsType<CudaException>(thrown).Message, StringComparison.Ordinal);
                Assert.Equal(thrown is null ? 1 : 0, Directory.GetFiles(folder.Path, "*", SearchOption.AllDirectories).Length);
            }
        }
        finally
        {
            Environment.SetEnvironmentVariable("CUDAGEN_CACHE", cache);
            control.FailNothing();
        }

        static void Compile()
        {
            Kernel kernel = new(new KernelSource("wrong.cu", "extern \"C\" __global__ void nothing(int n) {}"), "nothing");
            using Device device = TestCuda.Open(Implementation.Kernel);
            device.Launch(kernel, 1, 32, 0, 7);
            device.Synchronize();
        }
    }

    private static void FailOnce(StandInControl control, Implementation implementation, string path, string name, long nth)
    {
        string where = string.Create(CultureInfo.InvariantCulture, $"call {nth} of {name}");
        int alive = LiveObjects.Total;
        control.Fail(name, (int)nth, StatusFor(name));
        Exception? thrown = Record.Exception(() => Train(implementation, path));
        control.FailNothing();
        control.Clear();
        if (thrown is not null)
        {
            Assert.True(thrown is CudaGenException, $"{where}: {thrown}");
            Assert.True(thrown.Message.Contains(name, StringComparison.Ordinal), $"{where}: the error does not name it: {thrown.Message}");
        }
        else if (!GivesBack.Contains(name) && !Forgives(name))
            Assert.Fail($"{where}: no error");
        Assert.True(LiveObjects.Total == alive, $"{where}: {LiveObjects.Total - alive} objects are left");
        if (File.Exists(path))
            SafeTensors.Read(path);
        Assert.DoesNotContain(Directory.GetFiles(Path.GetDirectoryName(path)!), f => f != path);
        File.Delete(path);
    }

    // The last wait before everything is given back. What returns no status.
    private static bool Forgives(string name)
        => name is "cuStreamSynchronize" or "cuCtxSetCurrent" or "cudnnGetVersion" || name.Contains("Error", StringComparison.Ordinal) || name.Contains("Status", StringComparison.Ordinal);

    private static Dictionary<string, long> Counts(StandInControl control) => control.CallNames.ToDictionary(n => n, n => control.CallCount(n));

    /// <summary>Plan, an eager step, a recorded one, a replayed one, losses, a checkpoint.</summary>
    private static void Train(Implementation implementation, string path)
    {
        byte[] pixels = new byte[7 * Small.Image * Small.Image];
        for (int i = 0; i < pixels.Length; i++)
            pixels[i] = (byte)(i * 37);
        using Device device = TestCuda.Open(implementation);
        using ImageData data = new(device, pixels, Small.Image, Small.Image, 1);
        using ConvVae model = new(ConvVaeOptions.Canonical(Small));
        model.Plan(device, 3, 5);
        for (int i = 0; i < 3; i++)
            model.Step(data);
        Assert.True(float.IsFinite(model.Losses[0]));
        Checkpoint.Save(model, path);
    }
}
