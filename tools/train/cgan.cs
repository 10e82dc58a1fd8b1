#:project ../../src/CudaGen.Training/CudaGen.Training.csproj

// Conditional GAN (Mirza and Osindero 2014): draws the digit that it is asked for.

using CudaGen.Nets;
using CudaGen.Training;

return Trainer.Run(new TrainProgram("cgan", "trains a fully connected GAN on digits that draws the digit it is asked for", DataKind.Grey,
    r =>
    {
        GanSizes sizes = new(r.Image, r.Latent ?? 100, r.Classes);
        if (r.Recipe == Recipe.Seed)
            return Gan.Tutorial(sizes, r.Tricks);
        return Gan.Canonical(sizes, r.Flags.Given.ContainsKey(ModelFlags.Ema) ? r.Tricks : r.Tricks with { Average = 0.9995f });
    },
    [
        "epsilon of Adam: seed 1e-8 on the uncorrected root (TensorFlow), canonical 1e-8 on the corrected one (the paper)",
        "generator that is saved: seed the last, canonical an average of its weights (--ema 0.9995; --ema 0 for the last)",
    ])
{ NeedsLabels = true, Epochs = 30, Flags = ModelFlags.OfClassifiers }, args);
