using System.Text.Json.Nodes;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Bench.Cuda;

/// <summary>A model on a device, ready to be timed as often as its turn comes.</summary>
internal sealed class Subject : IDisposable
{
    private readonly CudaSettings _settings;
    private readonly Device _device;
    private readonly Model _model;
    private readonly DataSet _data;

    public Subject(CudaSettings settings, BenchModel which, Device device)
    {
        (_settings, Which, _device) = (settings, which, device);
        _model = which.Create();
        DataSet? data = null;
        try
        {
            _model.Plan(device, Batch, 1);
            _data = data = BenchModel.Data(device, _model);
            // One launch by launch, one that is recorded, and one that is replayed.
            for (int i = 0; i < 3; i++)
                _model.Step(_data);
            using var profile = new DeviceProfile(device);
            Work = Profile(profile);
        }
        catch
        {
            data?.Dispose();
            _model.Dispose();
            throw;
        }
    }

    public BenchModel Which { get; }

    public Precision Precision => _device.Precision;

    public Implementation Implementation => _device.Implementation;

    public int Batch => _settings.BatchOf(Which);

    /// <summary>What a step gives to the device.</summary>
    public IReadOnlyList<ProfiledWork> Work { get; }

    public long Flops => Work.Sum(w => w.Flops);

    public long Bytes => Work.Sum(w => w.Bytes);

    /// <summary>Times of the recorded step.</summary>
    public StepTimes Graph { get; } = new("graph");

    /// <summary>Times launch by launch.</summary>
    public StepTimes Eager { get; } = new("eager");

    /// <summary>Operations a second of the recorded step.</summary>
    public double FlopRate => Flops / Graph.Blocks.Median * 1000;

    /// <summary>Bytes that it moves a second, at the least.</summary>
    public double ByteRate => Bytes / Graph.Blocks.Median * 1000;

    /// <summary>A turn of both ways.</summary>
    public void Time()
    {
        foreach (StepTimes times in (StepTimes[])[Graph, Eager])
        {
            _model.Eager = times == Eager;
            Step();
            // As many steps between two waits as bench.py of the other side takes, fewer of those that take long.
            Times one = new("one");
            CudaClock.Blocks(_device, Step, 1, 0, one);
            int calls = _settings.Quick ? 2 : (int)Math.Clamp(100 / one.Best, 1, 10);
            CudaClock.Blocks(_device, Step, calls, _settings.Seconds, times.Blocks);
            CudaClock.Blocks(_device, Step, 1, _settings.Seconds / 5, times.Single);
            CudaClock.Events(_device, Step, 2 * calls, times.Events);
        }
        _model.Eager = false;
    }

    private void Step() => _model.Step(_data);

    /// <summary>What one step gives to the device, launch by launch.</summary>
    public IReadOnlyList<ProfiledWork> Profile(DeviceProfile profile)
    {
        profile.Clear();
        _model.Eager = true;
        _device.Profile = profile;
        try
        {
            Step();
        }
        finally
        {
            _device.Profile = null;
            _model.Eager = false;
        }
        return [.. profile.Work];
    }

    /// <summary>Generators of this model's parameters, as an application loads them.</summary>
    public Generator LoadGenerator(int batch)
    {
        string file = Path.GetTempFileName();
        try
        {
            using (Generator trained = Generator.Of(_model, batch))
            {
                trained.Update(_model);
                trained.Save(file);
            }
            return Generator.Load(_device, file, batch);
        }
        finally
        {
            File.Delete(file);
        }
    }

    public Device Device => _device;

    public JsonObject ToJson(StepTimes times, double flopCeiling, double byteCeiling)
    {
        double seconds = times.Blocks.Median / 1000;
        return new JsonObject
        {
            ["model"] = Which.Name,
            ["batch"] = Batch,
            ["implementation"] = Json.Name(Implementation),
            ["precision"] = Json.Name(Precision),
            ["mode"] = times.Mode,
            ["ms_median"] = Json.Number(times.Blocks.Median),
            ["ms_best"] = Json.Number(times.Blocks.Best),
            ["ms_events"] = Json.Number(times.Events.Median),
            ["ms_single"] = Json.Number(times.Single.Median),
            ["blocks"] = times.Blocks.Count,
            ["images_per_s"] = Json.Number(Batch / seconds),
            ["launches"] = Work.Count,
            ["flops"] = Flops,
            ["bytes_at_least"] = Bytes,
            ["flop_share"] = Json.Number(Flops / seconds / flopCeiling),
            ["copy_share"] = Json.Number(Bytes / seconds / byteCeiling),
        };
    }

    public void Dispose()
    {
        _data.Dispose();
        _model.Dispose();
    }
}

/// <summary>The times of a step in one mode.</summary>
internal sealed class StepTimes(string mode)
{
    public string Mode => mode;

    /// <summary>A step among others between two waits.</summary>
    public Times Blocks { get; } = new(mode);

    /// <summary>A step from one wait to the next.</summary>
    public Times Single { get; } = new(mode);

    /// <summary>A step among others by the device's clock.</summary>
    public Times Events { get; } = new(mode);
}
