package report

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/spec"
)

func TestDossierOnceWrittenReadsAsItDid(t *testing.T) {
	b, err := os.ReadFile("testdata/dossier_of_built_in_trainer.json")
	require.NoError(t, err)
	d, err := Decode(b)
	require.NoError(t, err)
	require.Nil(t, d.Sweep)
	require.Nil(t, d.Training.Program)
	require.Equal(t, 371, d.Comparison.Right.OnlyCandidate)
	require.Equal(t, TestSetUse{Adaptivity: "full", Step: 5, Of: 32, ShowTo: []string{"ethics", "risk"}}, *d.TestSet)
	again, digest, err := Encode(d)
	require.NoError(t, err)
	require.Equal(t, string(b), string(again), "a decision names the digest of these bytes")
	require.Equal(t, artifact.Sum(b), digest)
	says(t, d, "making", "A logistic model, trained on 12,014 rows with 8 columns.",
		"Parameters L2 penalty 1, at most 1,000 iterations, tolerance 1e-07 End of training", "Converged after 23 iterations.")
	says(t, d, "conditions", "Accuracy of the candidate minus 1.1 times accuracy of the serving version is to be more than −20 points Met. Measured −3.4 points")
}

func TestDecodeReadsWhatEncodeWroteOfAProgram(t *testing.T) {
	b, _, err := Encode(trained(t))
	require.NoError(t, err)
	for _, key := range []string{`"curves": [`, `"sweep": {`, `"usage": [`} {
		require.Contains(t, string(b), key)
	}
	d, err := Decode(b)
	require.NoError(t, err)
	again, _, err := Encode(d)
	require.NoError(t, err)
	require.Equal(t, string(b), string(again))
}

func TestReviewerSeesWhichProgramTrained(t *testing.T) {
	d := trained(t)
	p := d.Training.Program
	says(t, d, "making",
		"Trained by the requester’s own program on 12,014 rows with 8 columns.", "it did not review the program’s code",
		`What ran python train.py '--data dir' 'it'\''s'`, "Executable /usr/bin/python3.12", p.Executable.String(), "Interpreter Python 3.12.3",
		"Digest of the code "+p.Code.Digest.String(), "143 packages package-000==0.0.0", "package-142==2.10.0",
		"The program came to its end and left a model. It reported 8 metrics",
		"2 attempts began from a checkpoint that an earlier one had left. Attempt 2 resumed from checkpoint 12 (epoch 12). Attempt 3 resumed from checkpoint 24 (epoch 24).",
		"Devices 2 × NVIDIA H100 80GB HBM3 Use of the device At most 41.2 GB of 171.0 GB of memory at once. Busy 87.3 % of the time on average (1,204 samples).",
		"What it printed "+p.Output.Digest.String(), "Run by Assay v0.1.0",
		"amp True depth searched by the sweep 6 epochs 40 learning_rate searched by the sweep 0.0031622776601683794 note (empty)",
		"val_loss 40 reports 0.391 0.3842 lowest", "tokens_per_second 40 reports 193,758 181,309 to 193,758",
		"train at most 12.3 GB of memory 8.7 h 13.4 h", "prepare none none", "all together 8.8 h 13.4 h",
	)
	making := plain(section(t, parse(t, rendered(t, d)), "making"))
	require.NotContains(t, making, "onverge", "that is about the built-in trainer")
	says(t, d, "limits", "Assay did not review what its code does")
	require.NotContains(t, plain(section(t, parse(t, rendered(t, loan(t))), "limits")), "review what its code does")

	folds := elements(parse(t, rendered(t, d)), "details")
	require.Len(t, folds, 2+2*len(d.Protected), "packages and trials; of each protected column comparisons with the reference and further rates")
	for _, fold := range folds {
		require.Equal(t, "summary", fold.FirstChild.Data)
		require.Empty(t, attr(fold, "open"), "long lists start folded")
	}
}

func TestProgramThatSaidLittle(t *testing.T) {
	d := trained(t)
	d.Training.Program = &model.Program{Run: []string{"./train"}}
	d.Training.Parameters, d.Training.Metrics, d.Training.Devices, d.Training.DeviceUse = nil, nil, nil, nil
	d.Curves, d.Sweep, d.Usage = nil, nil, nil
	says(t, d, "making", "What ran ./train", "Interpreter not known", "Installed packages none known", "It reported no metrics",
		"No: the attempt that made the model began at the beginning.", "Device processor (CPU)")
	making := section(t, parse(t, rendered(t, d)), "making")
	for _, absent := range []string{"How training went", "How the parameters were chosen", "What it took", "What training reported", "Use of the device"} {
		require.NotContains(t, making, absent)
	}

	d.Training.Device = &device.Device{Name: "stand-in", Simulated: true}
	says(t, d, "making", "Device stand-in, simulated: no accelerator took part", "Use of the device It was not measured.")
}

func TestLongListsAreCutAndSaySo(t *testing.T) {
	says(t, hostileProgram(t), "making", "3,002 packages", "and 2,002 others", "144 further parameters are not listed", "178 further metrics are not listed")
}

func TestParametersOfABuiltInTrainerInWords(t *testing.T) {
	require.Equal(t, "defaults", parameters(nil))
	require.Equal(t, "L2 penalty 0.5, tolerance 1e-07, depth 6, kind tree", plain(parameters(spec.Parameters{
		"kind": spec.Text("tree"), "l2": spec.Number(0.5), "tolerance": spec.Number(1e-7), "depth": spec.Number(6),
	})))
	require.Equal(t, "at most 1 iteration", plain(parameters(spec.Parameters{"max_iterations": spec.Number(1)})))
}

func TestBriefNeverCutsACharacter(t *testing.T) {
	require.Equal(t, "äöü", brief("äöü", 3))
	require.Equal(t, "ä…", brief("äöü", 2))
	require.Equal(t, 80, len([]rune(brief(strings.Repeat("é", 1000), 80))))
}
