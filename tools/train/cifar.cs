#:project ../../src/CudaGen.Training/CudaGen.Training.csproj

// GAN for 32x32 colour images without batch norm, after a Keras tutorial on CIFAR-10.

using CudaGen.Nets;
using CudaGen.Training;

return Trainer.Run(new TrainProgram("cifar", "trains a convolutional GAN on small colour images", DataKind.Colour,
    r =>
    {
        CifarSizes sizes = CifarSizes.For(r.Image, r.Channels, r.Latent ?? 100);
        return r.Recipe == Recipe.Seed ? CifarGan.Tutorial(sizes, r.Tricks) : CifarGan.Canonical(sizes, r.Tricks);
    },
    [
        "epsilon of Adam: seed 1e-7 on the uncorrected root (Keras), canonical 1e-8 on the corrected one (the paper)",
    ])
{ Epochs = 20, Grid = (7, 5), Flags = ModelFlags.OfClassifiers }, args);
