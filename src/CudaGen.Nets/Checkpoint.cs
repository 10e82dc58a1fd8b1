using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>
/// A model between two steps, with everything that the next step depends on: a run that continues from it is bit for bit
/// the run that was never interrupted.
/// </summary>
public static class Checkpoint
{
    private const string Format = "cudagen-checkpoint-2";

    /// <summary>Writes the state of a model and a few words of the caller's own.</summary>
    /// <exception cref="InputException">The file cannot be written.</exception>
    public static void Save(Model model, string path, params ReadOnlySpan<(string Key, string Value)> metadata)
    {
        ArgumentNullException.ThrowIfNull(model);
        var file = new SafeTensors();
        file.Metadata["format"] = Format;
        file.Metadata["model"] = model.Kind;
        foreach ((string key, string value) in metadata)
            file.Metadata[key] = value;
        foreach (NamedTensor tensor in model.State())
            file.Add(model.Device, tensor);
        file.Write(path);
    }

    /// <summary>Puts a model that is planned into the state of the file, and returns the metadata.</summary>
    /// <exception cref="InputException">The file is missing, damaged, or of another model.</exception>
    public static IDictionary<string, string> Load(Model model, string path)
    {
        ArgumentNullException.ThrowIfNull(model);
        SafeTensors file = SafeTensors.Read(path);
        string format = file.ExpectMetadata("format"), kind = file.ExpectMetadata("model");
        if (format != Format || kind != model.Kind)
            throw new InputException($"{path}: found '{format}' of model '{kind}', expected '{Format}' of '{model.Kind}'");
        foreach (NamedTensor tensor in model.State())
            file.CopyTo(model.Device, tensor);
        model.StateWasReplaced();
        return file.Metadata;
    }
}
