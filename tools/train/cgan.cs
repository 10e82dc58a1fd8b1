#:project ../../src/CudaGen.Training/CudaGen.Training.csproj

// Conditional GAN (Mirza and Osindero 2014): draws the digit that it is asked for.

using CudaGen.Nets;
using CudaGen.Training;

return Trainer.Run(new TrainProgram("cgan", "trains a fully connected GAN on digits that draws the digit it is asked for", DataKind.Grey,
    r =>
    {
        GanSizes sizes = new(r.Image, r.Latent ?? 100, r.Classes);
        return r.Recipe == Recipe.Seed ? Gan.Tutorial(sizes, r.Tricks) : Gan.Canonical(sizes, r.Tricks);
    },
    [
        "epsilon of Adam: seed 1e-8 on the uncorrected root (TensorFlow), canonical 1e-8 on the corrected one (the paper)",
    ])
{ NeedsLabels = true, Epochs = 20, Flags = ModelFlags.OfClassifiers }, args);
