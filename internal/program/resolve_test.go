package program_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/assay-ml/assay/internal/program"
	"github.com/stretchr/testify/require"
)

// machine is a folder with executables, as a PATH and a code folder hold them.
func machine(t *testing.T) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for _, f := range []string{"bin/python3", "bin/python3.12", "venv/bin/python3", "code/train.sh", "code/sub/train.sh", "secret/tool"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, f)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, f), []byte("#!/bin/sh\n"), 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, "code/train.py"), []byte("pass\n"), 0o644))
	require.NoError(t, os.Symlink("../secret/tool", filepath.Join(root, "code/link")))
	require.NoError(t, os.Symlink("sub/train.sh", filepath.Join(root, "code/inner")))
	require.NoError(t, os.Symlink("../secret", filepath.Join(root, "code/folder")))
	require.NoError(t, os.Symlink("code", filepath.Join(root, "current")))
	require.NoError(t, os.Symlink("../bin/python3.12", filepath.Join(root, "venv/link")))
	return root
}

func TestResolve(t *testing.T) {
	root := machine(t)
	t.Setenv("PATH", filepath.Join(root, "bin"))
	const notAllowed, notFound, notExecutable = program.NotAllowed, program.NotFound, program.NotExecutable
	for name, given := range map[string]struct {
		allowed []string // @ stands for the machine's folder
		program string
		code    string
		path    string
		refusal program.RefusalKind
	}{
		"nothing is allowed at first":            {program: "python3", refusal: notAllowed},
		"nothing is allowed at first by path":    {program: "/bin/sh", refusal: notAllowed},
		"nothing is allowed at first of code":    {program: "./train.sh", code: "@/code", refusal: notAllowed},
		"a name of an allowed path":              {allowed: []string{"@/venv/bin/python3"}, program: "python3", path: "@/venv/bin/python3"},
		"a name of an allowed pattern":           {allowed: []string{"@/*/bin/python3"}, program: "python3", path: "@/venv/bin/python3"},
		"the first allowed path wins":            {allowed: []string{"@/venv/bin/python3", "python3"}, program: "python3", path: "@/venv/bin/python3"},
		"the first allowed name wins":            {allowed: []string{"python3", "@/venv/bin/python3"}, program: "python3", path: "@/bin/python3"},
		"an allowed path that is missing":        {allowed: []string{"@/none/python3", "python3"}, program: "python3", path: "@/bin/python3"},
		"an allowed name":                        {allowed: []string{"python3"}, program: "python3", path: "@/bin/python3"},
		"another name than the allowed one":      {allowed: []string{"python3"}, program: "python3.12", refusal: notAllowed},
		"an allowed name that PATH has not":      {allowed: []string{"julia"}, program: "julia", refusal: notFound},
		"an allowed path that is not there":      {allowed: []string{"@/bin/julia"}, program: "julia", refusal: notFound},
		"the same by its path":                   {allowed: []string{"@/bin/julia"}, program: "@/bin/julia", refusal: notFound},
		"code does not allow names":              {allowed: []string{"code"}, program: "train.sh", code: "@/code", refusal: notAllowed},
		"code does not allow paths":              {allowed: []string{"code"}, program: "@/secret/tool", code: "@/code", refusal: notAllowed},
		"a program named code":                   {allowed: []string{"code"}, program: "code", refusal: notAllowed},
		"an allowed path":                        {allowed: []string{"@/bin/python3"}, program: "@/bin/python3", path: "@/bin/python3"},
		"a path that matches":                    {allowed: []string{"@/bin/python3*"}, program: "@/bin/python3.12", path: "@/bin/python3.12"},
		"a path that matches in a detour":        {allowed: []string{"@/bin/*"}, program: "@/bin/../secret/tool", refusal: notAllowed},
		"a pattern does not cross folders":       {allowed: []string{"@/*"}, program: "@/bin/python3", refusal: notAllowed},
		"the path of an allowed name":            {allowed: []string{"python3"}, program: "@/bin/python3", path: "@/bin/python3"},
		"another path of an allowed name":        {allowed: []string{"python3"}, program: "@/venv/bin/python3", refusal: notAllowed},
		"links of an allowed path are kept":      {allowed: []string{"@/venv/*"}, program: "@/venv/link", path: "@/venv/link"},
		"a folder":                               {allowed: []string{"@/venv/*"}, program: "@/venv/bin", refusal: notExecutable},
		"code":                                   {allowed: []string{"code"}, program: "./train.sh", code: "@/code", path: "@/code/train.sh"},
		"code in a folder":                       {allowed: []string{"code"}, program: "sub/train.sh", code: "@/code", path: "@/code/sub/train.sh"},
		"code behind a link to the folder":       {allowed: []string{"code"}, program: "./train.sh", code: "@/current", path: "@/code/train.sh"},
		"a link inside the code":                 {allowed: []string{"code"}, program: "./inner", code: "@/code", path: "@/code/sub/train.sh"},
		"code that is not executable":            {allowed: []string{"code"}, program: "./train.py", code: "@/code", refusal: notExecutable},
		"code that is not there":                 {allowed: []string{"code"}, program: "./none.sh", code: "@/code", refusal: notFound},
		"code without a folder":                  {allowed: []string{"code"}, program: "./train.sh", refusal: notFound},
		"code in a folder that is not there":     {allowed: []string{"code"}, program: "./train.sh", code: "@/none", refusal: notFound},
		"out of the code folder":                 {allowed: []string{"code"}, program: "../secret/tool", code: "@/code", refusal: notAllowed},
		"out of the code folder and in again":    {allowed: []string{"code"}, program: "../code/train.sh", code: "@/code", refusal: notAllowed},
		"out of the code folder by a link":       {allowed: []string{"code"}, program: "./link", code: "@/code", refusal: notAllowed},
		"out of the code folder by a folder":     {allowed: []string{"code"}, program: "folder/tool", code: "@/code", refusal: notAllowed},
		"no name":                                {allowed: []string{"code", "python3"}, program: "", code: "@/code", refusal: notFound},
		"a name with a zero byte":                {allowed: []string{"code", "@/*"}, program: "@/\x00", code: "@/code", refusal: notFound},
		"a pattern is no name":                   {allowed: []string{"@/bin/python3"}, program: "python*", refusal: notAllowed},
		"a malformed pattern allows nothing":     {allowed: []string{"@/bin/[", "@/[/python3"}, program: "@/bin/python3", refusal: notAllowed},
		"a path through a file is no executable": {allowed: []string{"code"}, program: "train.sh/x", code: "@/code", refusal: notFound},
	} {
		t.Run(name, func(t *testing.T) {
			at := func(s string) string {
				if len(s) > 0 && s[0] == '@' {
					return root + s[1:]
				}
				return s
			}
			var policy program.Policy
			for _, a := range given.allowed {
				policy.Allowed = append(policy.Allowed, at(a))
			}
			path, err := policy.Resolve(at(given.program), at(given.code))
			if given.refusal == "" {
				require.NoError(t, err)
				require.Equal(t, at(given.path), path)
				return
			}
			var refusal *program.Refusal
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, given.refusal, refusal.Kind, "%v", err)
			require.Empty(t, path)
			if refusal.Kind == program.NotAllowed {
				require.ErrorContains(t, err, "--allow-programs")
				for _, a := range policy.Allowed {
					require.ErrorContains(t, err, a)
				}
			}
		})
	}
}

func TestPATHWithTheWorkingFolderResolvesNothing(t *testing.T) {
	root := machine(t)
	t.Chdir(filepath.Join(root, "bin"))
	t.Setenv("PATH", ".:")
	_, err := program.Policy{Allowed: []string{"python3"}}.Resolve("python3", "")
	var refusal *program.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, program.NotFound, refusal.Kind)
}

func TestCheck(t *testing.T) {
	require.NoError(t, program.Policy{}.Check())
	require.NoError(t, program.Policy{Allowed: []string{"code", "python3", "/usr/bin/python3*"}, PassEnv: []string{"HTTPS_PROXY"}, MemoryBytes: 1, CPUs: 1, WallTime: 1, DiskBytes: 1, Processes: 1}.Check())
	for says, policy := range map[string]program.Policy{
		"entry is empty":     {Allowed: []string{""}},
		"is a relative path": {Allowed: []string{"bin/python3"}},
		"a pattern of names": {Allowed: []string{"python*"}},
		"no valid pattern":   {Allowed: []string{"/usr/bin/[a"}},
		"no name of a var":   {PassEnv: []string{"A=1"}},
		"limit of memory":    {MemoryBytes: -1},
		"limit of processes": {Processes: -1},
		"limit of time":      {WallTime: -1},
		"limit of disk":      {DiskBytes: -1},
		"limit of proc":      {CPUs: -1},
	} {
		require.ErrorContains(t, policy.Check(), says)
	}
}
