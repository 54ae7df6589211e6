package program_test

import (
	"path/filepath"
	"testing"

	"github.com/assay-ml/assay/internal/program"
	"github.com/stretchr/testify/require"
)

func TestEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "worker's")
	t.Setenv("HTTPS_PROXY", "http://proxy")
	t.Setenv("OMP_NUM_THREADS", "64")
	for name, given := range map[string]struct {
		policy  program.Policy
		program string
		spec    map[string]string
		want    []string
	}{
		"nothing but the necessary": {
			program: "/usr/bin/python3",
			want:    []string{"HOME=/run/home", "LANG=C.UTF-8", "PATH=/usr/bin:/usr/local/bin:/bin", "TMPDIR=/run/tmp"},
		},
		"the program's own folder comes first": {
			program: "/opt/venv/bin/python3",
			want:    []string{"HOME=/run/home", "LANG=C.UTF-8", "PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin", "TMPDIR=/run/tmp"},
		},
		"what the operator passes on": {
			policy:  program.Policy{PassEnv: []string{"HTTPS_PROXY", "NOT_SET_ANYWHERE"}},
			program: "/bin/sh",
			want:    []string{"HOME=/run/home", "HTTPS_PROXY=http://proxy", "LANG=C.UTF-8", "PATH=/bin:/usr/local/bin:/usr/bin", "TMPDIR=/run/tmp"},
		},
		"thread counts, which the spec may change": {
			policy:  program.Policy{CPUs: 2},
			program: "/bin/sh",
			spec:    map[string]string{"MKL_NUM_THREADS": "1", "EPOCHS": "3", "LANG": "de_DE.UTF-8"},
			want: []string{"EPOCHS=3", "HOME=/run/home", "LANG=de_DE.UTF-8", "MKL_NUM_THREADS=1", "OMP_NUM_THREADS=2",
				"OPENBLAS_NUM_THREADS=2", "PATH=/bin:/usr/local/bin:/usr/bin", "TMPDIR=/run/tmp"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, given.want, program.Environment(given.policy, "/run", given.program, given.spec))
		})
	}
}

func TestAProgramSeesItsEnvironmentOnly(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "worker's")
	c := shell(t, `tr '\0' '\n' < /proc/$$/environ; tr '\0' '\n' < /proc/$PPID/environ; test -d "$HOME" && test -d "$TMPDIR" && test -w "$TMPDIR"`)
	var out record
	out.to(&c)
	_, err := run(t, c)
	require.NoError(t, err, "HOME and TMPDIR are there")
	require.Equal(t, []string{"HOME=" + filepath.Join(c.Folder, "home"), "LANG=C.UTF-8", "PATH=/bin:/usr/local/bin:/usr/bin", "TMPDIR=" + filepath.Join(c.Folder, "tmp")}, out.all(),
		"also the supervisor, whose environment the program may read, has nothing of the worker's")
}
