package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/program"
	"github.com/assay-ml/assay/internal/table"
	"github.com/assay-ml/assay/tests/bench/figures"
	"github.com/assay-ml/assay/tests/naivebayes"
)

// ownSpec trains with this binary as the user's program: naive Bayes on credit data, with a checkpoint and a line of
// output after each step of so many rows.
func ownSpec(model, self, code string, rows int, parameters map[string]any) map[string]any {
	s := creditOf(model, rows)
	s["train"] = map[string]any{
		"trainer": "command", "parameters": parameters,
		"command": map[string]any{"code": code, "run": []string{self}, "environment": map[string]string{naivebayes.Role: "train"}},
	}
	s["serve"] = map[string]any{"run": []string{self}, "environment": map[string]string{naivebayes.Role: "serve"}}
	return s
}

// codeFolder makes a code folder; the program itself is this binary.
func codeFolder(parent string) (string, error) {
	folder := filepath.Join(parent, "code")
	return folder, errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, "README"), []byte("the program is the bench's own binary\n"), 0o600))
}

// programs compares training by a user's program, as a stage of a lifecycle, with the same program run by hand on the same
// files, in turn. Every pair has a parameter of its own, so that the store has no answer.
func (b *bench) programs() error {
	folder, err := os.MkdirTemp("", "assay-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	code, err := codeFolder(folder)
	if err != nil {
		return err
	}
	digest, size, err := timeDigest(b.self)
	if err != nil {
		return err
	}
	note := fmt.Sprintf("files, arguments and the variables it reads the same; the stage includes reading the program's %d MB for their digest, %.2f s", size>>20, digest)
	for _, c := range []struct {
		what          string
		delay         float64 // seconds after each of its steps
		rounds, quick int
		note          string
	}{
		{"training by a user's short program", 0, 7, 3, note},
		{"training by a user's program of 5 s", 0.25, 3, 1, "a line of output and a checkpoint that goes to the store every 0.25 s"},
	} {
		rounds := c.rounds
		if b.quick {
			rounds = c.quick
		}
		var ours, plain, ratios, added []float64
		for i := range rounds {
			parameters := map[string]any{"rows": 600, "delay": c.delay, "smoothing": 0.001 * float64(i+1)}
			a, p, err := b.programPair(folder, code, fmt.Sprintf("d%g-r%d", c.delay, i), parameters)
			if err != nil {
				return err
			}
			ours, plain, ratios, added = append(ours, a), append(plain, p), append(ratios, a/p), append(added, a-p)
		}
		b.add(c.what+", its stage, median", fmt.Sprintf("%.2f s", figures.Quantile(ours, 0.5)), "", fmt.Sprintf("by hand %.2f s; %d pairs; %s", figures.Quantile(plain, 0.5), rounds, c.note))
		b.add("  more than by hand, median over pairs", fmt.Sprintf("%.2f s", figures.Quantile(added, 0.5)), "", "")
		b.add("  ratio to by hand, median over pairs", fmt.Sprintf("%.2f", figures.Quantile(ratios, 0.5)), "", "")
	}
	return nil
}

// programPair gives the seconds of a training stage and those of its program by hand, and makes sure that both trained the
// same model.
func (b *bench) programPair(folder, code, name string, parameters map[string]any) (stageSeconds, handSeconds float64, err error) {
	id, err := b.begin("bench-program", name, ownSpec("bench-program", b.self, code, 20_000, parameters))
	if err != nil {
		return 0, 0, err
	}
	line, err := b.trained(id, 2*time.Minute, 100*time.Millisecond)
	if err != nil {
		return 0, 0, err
	}
	in, out, err := b.training(id)
	if err != nil {
		return 0, 0, err
	}
	hand, err := b.export(filepath.Join(folder, name), in.Prepared)
	if err != nil {
		return 0, 0, err
	}
	if handSeconds, err = hand.train(b.self, parameters); err != nil {
		return 0, 0, err
	}
	files, err := hand.model(b.ctx, b.stack.Store)
	if err != nil {
		return 0, 0, err
	}
	m, err := readServed(b.ctx, b.stack.Store, out.Model)
	if err != nil {
		return 0, 0, err
	}
	if files != m.Files {
		return 0, 0, fmt.Errorf("%s trained the model files %s, its program by hand %s", id, m.Files.Digest.Short(), files.Digest.Short())
	}
	return line.Finished.Sub(line.Started).Seconds(), handSeconds, nil
}

// export lays out what the training of a lifecycle was given.
func (b *bench) export(folder string, prepared artifact.Ref) (handFolder, error) {
	var parts table.Prepared
	if err := artifact.ReadJSON(b.ctx, b.stack.Store, prepared, &parts); err != nil {
		return "", err
	}
	var columns []string
	for _, f := range parts.Features {
		columns = append(columns, f.Name)
	}
	columns = append(columns, "approved")
	hand, err := newHandFolder(folder)
	if err != nil {
		return "", err
	}
	lim := table.Limits{TempDir: folder}
	return hand, errors.Join(
		table.Export(b.ctx, b.stack.Store, parts.Train, columns, table.FormatCSV, hand.path("train", "train.csv"), lim),
		table.Export(b.ctx, b.stack.Store, parts.Validation, columns, table.FormatCSV, hand.path("validation", "validation.csv"), lim),
	)
}

// handFolder is where the program finds its files when a person runs it.
type handFolder string

func newHandFolder(folder string) (handFolder, error) {
	f := handFolder(folder)
	for _, name := range []string{"train", "validation", "model", "checkpoints", "code"} {
		if err := os.MkdirAll(f.path(name), 0o700); err != nil {
			return "", err
		}
	}
	return f, nil
}

func (f handFolder) path(elements ...string) string {
	return filepath.Join(append([]string{string(f)}, elements...)...)
}

// train runs the program to its end and gives the seconds it took. A validation.csv that is not there is not its channel.
func (f handFolder) train(self string, parameters map[string]any) (float64, error) {
	env := map[string]string{
		naivebayes.Role: "train", "SM_CHANNEL_TRAIN": f.path("train"), "SM_MODEL_DIR": f.path("model"),
		"ASSAY_CHECKPOINT_DIR": f.path("checkpoints"), "ASSAY_TARGET": "approved", "ASSAY_POSITIVE": "yes",
	}
	if _, err := os.Stat(f.path("validation", "validation.csv")); err == nil {
		env["SM_CHANNEL_VALIDATION"] = f.path("validation")
	}
	var args []string
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		args = append(args, "--"+name, fmt.Sprint(parameters[name]))
	}
	c := exec.Command(self, args...)
	c.Dir, c.Env, c.Stderr = f.path("code"), program.Environment(program.Policy{}, string(f), self, env), os.Stderr
	begun := time.Now()
	err := c.Run()
	return time.Since(begun).Seconds(), err
}

// model stores what the program has left.
func (f handFolder) model(ctx context.Context, store artifact.Store) (artifact.Ref, error) {
	ref, _, err := artifact.PutFolder(ctx, store, f.path("model"), artifact.FolderLimits{})
	return ref, err
}

func readServed(ctx context.Context, store artifact.Store, ref artifact.Ref) (model.Served, error) {
	b, err := artifact.ReadAll(ctx, store, ref)
	if err != nil {
		return model.Served{}, err
	}
	return model.DecodeServed(b)
}

// timeDigest reads a file for its digest, as a training does with its program.
func timeDigest(path string) (seconds float64, size int64, err error) {
	begun := time.Now()
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	size, err = io.Copy(sha256.New(), f)
	return time.Since(begun).Seconds(), size, err
}
