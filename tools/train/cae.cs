#:project ../../src/CudaGen.Training/CudaGen.Training.csproj

// Convolutional autoencoder: 28x28 digits to a code of 20 numbers and back.

using CudaGen.Nets;
using CudaGen.Training;

return Trainer.Run(new TrainProgram("cae", "trains a convolutional autoencoder on digits", DataKind.Grey,
    r =>
    {
        ConvSizes sizes = new(r.Image, r.Latent ?? 20);
        return new ConvAutoencoder(r.Recipe == Recipe.Seed ? ConvAutoencoderOptions.Seed(sizes) : ConvAutoencoderOptions.Canonical(sizes));
    },
    [
        "learning rate of Adam: seed 1e-4, canonical 1e-3 (Kingma and Ba 2015)",
        "epsilon of Adam: seed 1e-8 on the uncorrected root (TensorFlow), canonical 1e-8 on the corrected one (the paper)",
    ]), args);
