using System.Text.RegularExpressions;
using static CudaGen.Runtime.Native.NativeLibraries;

namespace CudaGen.Runtime.Tests;

public sealed class NativeLibrariesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("cudagen-libraries-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // A machine with these variables and folders and nothing else.
    private static Surroundings Around(string variables = "", string[]? folders = null, string? standIns = null, string links = "")
    {
        static Dictionary<string, string> Pairs(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => pair.Split('=')).ToDictionary(pair => pair[0], pair => pair[1]);
        return new(Pairs(variables).GetValueOrDefault,
            pattern => (folders ?? []).Where(f => Regex.IsMatch(f, $"^{Regex.Escape(pattern).Replace(@"\*", "[^/]*", StringComparison.Ordinal)}$")),
            Pairs(links).GetValueOrDefault, () => standIns);
    }

    [Theory]
    [InlineData("cuda", "CUDAGEN_CUDA_PATH")]
    [InlineData("nvrtc", "CUDAGEN_NVRTC_PATH")]
    [InlineData("cublas", "CUDAGEN_CUBLAS_PATH")]
    [InlineData("cudnn", "CUDAGEN_CUDNN_PATH")]
    public void A_file_that_was_chosen_is_the_only_candidate(string library, string variable)
    {
        Surroundings around = Around($"{variable}=/own/lib.so CUDAGEN_LIB_DIR=/other CUDA_PATH=/cuda", standIns: "/standins");
        Assert.Equal(["/own/lib.so"], Candidates(library, 12, around));
    }

    [Theory]
    [InlineData("cuda", 0, "libcuda.so.1")]
    [InlineData("nvrtc", 0, "libnvrtc.so.13 libnvrtc.so.12")]
    [InlineData("nvrtc", 13, "libnvrtc.so.13 libnvrtc.so.12")]
    [InlineData("nvrtc", 12, "libnvrtc.so.12 libnvrtc.so.13")]
    [InlineData("cublas", 13, "libcublas.so.13 libcublas.so.12")]
    [InlineData("cublas", 12, "libcublas.so.12 libcublas.so.13")]
    [InlineData("cudnn", 12, "libcudnn.so.9 libcudnn.so.8")]
    public void Versions_come_newest_first_but_newer_than_the_driver_last(string library, int driver, string expected)
        => Assert.Equal(expected.Split(' '), Candidates(library, driver, Around()));

    [Fact]
    public void Places_come_in_the_order_of_the_table()
    {
        string[] folders =
        [
            "/usr/local/cuda/lib64", "/usr/local/cuda-13.0/lib64", "/usr/local/cuda-13.0/targets/sbsa-linux/lib", "/usr/local/nvidia/lib64",
            "/usr/lib/wsl/lib", "/cuda/targets/x86_64-linux/lib", "/conda/lib",
            "/conda/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib",
            "/venv/lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib", "/venv/lib/python3.12/site-packages/nvidia/cu13/lib",
            "/venv/lib/python3.12/site-packages/nvidia/cublas/lib",
            "/opt/py/lib/python3.13/dist-packages/nvidia/cu13/lib",
            "/home/me/.local/lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib",
            "/lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib",
        ];
        Surroundings around = Around("CUDAGEN_LIB_DIR=/a:/b CUDA_PATH=/cuda CUDA_HOME=/home/cuda VIRTUAL_ENV=/venv CONDA_PREFIX=/conda "
            + "PATH=/venv/bin:/opt/py/bin:/sbin:/bin HOME=/home/me", folders);
        string[] places =
        [
            "/a/", "/b/", "", "/cuda/lib64/", "/cuda/targets/x86_64-linux/lib/", "/home/cuda/lib64/", "/usr/local/cuda/lib64/",
            "/usr/local/cuda-13.0/lib64/", "/usr/local/cuda-13.0/targets/sbsa-linux/lib/", "/usr/local/nvidia/lib64/", "/usr/lib/wsl/lib/",
            "/conda/lib/",
            "/venv/lib/python3.12/site-packages/nvidia/cu13/lib/", "/venv/lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib/",
            "/conda/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib/", "/opt/py/lib/python3.13/dist-packages/nvidia/cu13/lib/",
            "/home/me/.local/lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib/",
        ];
        Assert.Equal(places.SelectMany(p => (string[])[p + "libnvrtc.so.13", p + "libnvrtc.so.12"]), Candidates("nvrtc", 13, around));
    }

    [Fact]
    public void A_link_on_the_path_leads_to_an_environment_and_to_the_Python_behind_it()
    {
        string[] folders = ["/opt/torch/.venv/lib/python3.12/site-packages/nvidia/cu13/lib", "/uv/lib/python3.12/site-packages/nvidia/cu13/lib"];
        Surroundings around = Around("PATH=/usr/local/bin", folders,
            links: "/usr/local/bin/python3=/opt/torch/.venv/bin/python3 /opt/torch/.venv/bin/python3=/uv/bin/python3.12");
        Assert.Equal([folders[0] + "/libcublas.so.13", folders[1] + "/libcublas.so.13"],
            Candidates("cublas", 13, around).Where(c => c.EndsWith("/libcublas.so.13", StringComparison.Ordinal)));
        // A link to itself ends, too.
        around = Around("PATH=/usr/local/bin", folders, links: "/usr/local/bin/python3=/usr/local/bin/python3");
        Assert.Equal(["libcublas.so.13", "libcublas.so.12"], Candidates("cublas", 13, around));
    }

    [Fact]
    public void Links_are_followed_as_the_system_does()
    {
        string target = Path.Combine(_folder, "python3.12"), link = Path.Combine(_folder, "python3");
        File.WriteAllText(target, "");
        File.CreateSymbolicLink(link, "python3.12");
        Assert.Equal(target, Surroundings.OfProcess.Link(link));
        Assert.Null(Surroundings.OfProcess.Link(target));
        Assert.Null(Surroundings.OfProcess.Link(Path.Combine(_folder, "nowhere", "python3")));
    }

    [Fact]
    public void Stand_ins_work_with_each_other_only()
    {
        Surroundings around = Around($"CUDAGEN_LIB_DIR={_folder}:/b CUDA_PATH=/cuda");
        Assert.Contains("libcudnn.so.9", Candidates("cudnn", 0, around));
        File.WriteAllText(Path.Combine(_folder, "libcudagen_emulator.so"), "");
        string[] own = [Path.Combine(_folder, "libcudnn.so.9"), Path.Combine(_folder, "libcudnn.so.8")];
        Assert.Equal(own, Candidates("cudnn", 0, around));
        // However the driver was found, the rest comes from its folder.
        Assert.Equal(own, Candidates("cudnn", 0, Around("CUDAGEN_LIB_DIR=/b CUDA_PATH=/cuda", standIns: _folder)));
    }

    [Fact]
    public void What_does_not_load_is_passed_over_and_listed()
    {
        string text = Path.Combine(_folder, "libcudnn.so.9");
        File.WriteAllText(text, "no library");
        string[] candidates = [.. Candidates("cudnn", 0, Around($"CUDAGEN_LIB_DIR={_folder} CUDA_PATH=/nowhere"))
            .Where(c => c.Contains('/', StringComparison.Ordinal))];
        Assert.Equal(4, candidates.Length);
        Assert.False(TryLoadFirst("cudnn", candidates, out Found? found, out string failure));
        Assert.Null(found);
        Assert.Equal($"no library 'cudnn'; tried {text}, {_folder}/libcudnn.so.8, /nowhere/lib64/libcudnn.so.9, /nowhere/lib64/libcudnn.so.8",
            failure);

        Assert.True(TryLoadFirst("cudnn", [text, "libc.so.6", "/nowhere/lib.so"], out found, out failure));
        Assert.Equal(("libc.so.6", ""), (found.Path, failure));
        Assert.NotEqual(0, found.Handle);
    }

    [Fact]
    public void Folders_of_every_Python_are_found_newest_first()
    {
        foreach (string part in (string[])["lib/python3.11/site-packages/nvidia/cublas/lib", "lib/python3.12/site-packages/nvidia/cublas/lib",
            "lib/python3.12/site-packages/nvidia/cudnn", "lib/node/site-packages/nvidia/cublas/lib"])
            Directory.CreateDirectory(Path.Combine(_folder, part));
        Func<string, IEnumerable<string>> folders = Surroundings.OfProcess.Folders;
        Assert.Equal([_folder + "/lib/python3.12/site-packages/nvidia/cublas/lib", _folder + "/lib/python3.11/site-packages/nvidia/cublas/lib"],
            folders(_folder + "/lib/python3*/site-packages/nvidia/cublas/lib"));
        Assert.Equal([], folders(_folder + "/lib/python3*/site-packages/nvidia/cudnn/lib"));
        Assert.Equal([], folders(_folder + "/nowhere/python3*/site-packages"));
        Assert.Equal([_folder], folders(_folder));
    }
}
