// Command faults plants mistakes and asks the tests whether they notice.
//
//	GOWORK=off go -C scripts/faults run .            every fault
//	GOWORK=off go -C scripts/faults run . -quick     only those marked quick; the others are checked for their place
//	GOWORK=off go -C scripts/faults run . -only cas  those whose name contains "cas"
//
// faults.json lists them. Each one is a promise of the product, broken at one
// place, and the test that must turn red:
//
//	{
//	  "name":    "compare-and-set removed",        what is broken, in plain words
//	  "file":    "services/internal/ledger/x.go",  path from the root of the repository
//	  "old":     "the code as it stands",          must occur exactly once in the file
//	  "new":     "the code with the mistake",      must still compile
//	  "package": "./services/internal/ledger",     where the test is, from the root
//	  "test":    "TestPublishFencesStaleFold",     may name a subtest: "TestX/case"
//	  "tags":    "real",                           build tags, optional
//	  "quick":   true                              also planted by -quick, optional
//	}
//
// Nothing in the tree is touched: the changed copy lies in a temporary folder
// and the compiler is told to read it instead. A fault counts as caught only if
// the named test passes on the code as it stands and fails, by name, on the
// changed one; a mutant that does not compile, or a run that ends without that
// test's verdict, proves nothing and is reported as such. The exit code is 0 only
// if every fault was caught.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Fault is one planted mistake and the test that must notice it.
type Fault struct {
	Name    string `json:"name"`
	File    string `json:"file"`
	Old     string `json:"old"`
	New     string `json:"new"`
	Package string `json:"package"`
	Test    string `json:"test"`
	Tags    string `json:"tags,omitempty"`
	Quick   bool   `json:"quick,omitempty"`
}

func main() {
	root := flag.String("root", "../..", "root of the repository")
	list := flag.String("list", "faults.json", "the list of faults")
	quick := flag.Bool("quick", false, "plant only the faults marked quick, and check the place of the others")
	only := flag.String("only", "", "plant only the faults whose name contains this")
	limit := flag.Duration("limit", 5*time.Minute, "the longest that one test run may take")
	flag.Parse()

	faults, err := read(*list)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(2)
	}
	absolute, err := filepath.Abs(*root)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(2)
	}
	r := runner{root: absolute, limit: *limit, out: os.Stdout, sound: map[string]error{}}
	if !r.all(context.Background(), faults, *quick, *only) {
		os.Exit(1)
	}
}

// read takes the list and refuses what could not be run.
func read(path string) ([]Fault, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var faults []Fault
	if err := decoder.Decode(&faults); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	seen := map[string]bool{}
	for i, f := range faults {
		switch {
		case f.Name == "" || f.File == "" || f.Old == "" || f.Package == "" || f.Test == "":
			return nil, fmt.Errorf("%s: fault %d: name, file, old, package and test must be given", path, i+1)
		case f.Old == f.New:
			return nil, fmt.Errorf("%s: %q: old and new are the same", path, f.Name)
		case seen[f.Name]:
			return nil, fmt.Errorf("%s: %q stands there twice", path, f.Name)
		}
		seen[f.Name] = true
	}
	return faults, nil
}

type runner struct {
	root  string
	limit time.Duration
	out   io.Writer
	// sound remembers which tests pass on the code as it stands.
	sound map[string]error
}

// all plants the faults one by one, prints a line for each and a closing count,
// and says whether every one was caught.
func (r *runner) all(ctx context.Context, faults []Fault, quick bool, only string) bool {
	if len(faults) == 0 {
		fmt.Fprintln(r.out, "faults: the list is empty: a gate in which nothing is ever planted proves nothing")
		return false
	}
	var caught, placed, wrong int
	for _, f := range faults {
		if !strings.Contains(f.Name, only) {
			continue
		}
		if quick && !f.Quick {
			if _, err := r.mutate(f); err != nil {
				wrong++
				fmt.Fprintf(r.out, "WRONG    %s: %v\n", f.Name, err)
				continue
			}
			placed++
			continue
		}
		start := time.Now()
		err := r.plant(ctx, f)
		took := time.Since(start).Seconds()
		if err != nil {
			wrong++
			fmt.Fprintf(r.out, "WRONG    %s: %v (%.1f s)\n", f.Name, err, took)
			continue
		}
		caught++
		fmt.Fprintf(r.out, "caught   %s: by %s (%.1f s)\n", f.Name, f.Test, took)
	}
	fmt.Fprintf(r.out, "faults: %d caught, %d not planted but still in place, %d wrong\n", caught, placed, wrong)
	return wrong == 0 && caught > 0
}

// What a planted fault can end in, other than being caught.
var (
	errSurvived = errors.New("the test still passes: nobody would notice")
	errBroken   = errors.New("the changed code does not compile, so nothing was tested")
	errSilent   = errors.New("the run ended without a verdict of the test")
	errUnsound  = errors.New("the test does not pass on the code as it stands")
)

// plant says nil if the fault's test notices it.
func (r *runner) plant(ctx context.Context, f Fault) error {
	changed, err := r.mutate(f)
	if err != nil {
		return err
	}
	if err := r.passes(ctx, f); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "fault-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	mutant := filepath.Join(dir, filepath.Base(f.File))
	if err := os.WriteFile(mutant, changed, 0o600); err != nil {
		return err
	}
	overlay := filepath.Join(dir, "overlay.json")
	replace := map[string]map[string]string{"Replace": {filepath.Join(r.root, filepath.FromSlash(f.File)): mutant}}
	data, err := json.Marshal(replace)
	if err != nil {
		return err
	}
	if err := os.WriteFile(overlay, data, 0o600); err != nil {
		return err
	}
	// The exit code says less than the verdict: a crash is not the test's word.
	output, _ := r.test(ctx, f, overlay)
	switch verdict(output, f.Test) {
	case "FAIL":
		return nil
	case "PASS":
		return errSurvived
	}
	if strings.Contains(output, "[build failed]") || strings.Contains(output, "[setup failed]") {
		return fmt.Errorf("%w:\n%s", errBroken, tail(output))
	}
	return fmt.Errorf("%w:\n%s", errSilent, tail(output))
}

// mutate answers the file with the mistake in it.
func (r *runner) mutate(f Fault) ([]byte, error) {
	source, err := os.ReadFile(filepath.Join(r.root, filepath.FromSlash(f.File)))
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(source, []byte(f.Old)); n != 1 {
		return nil, fmt.Errorf("the code to change occurs %d times in %s, not once: bring the list up to date", n, f.File)
	}
	return bytes.Replace(source, []byte(f.Old), []byte(f.New), 1), nil
}

// passes makes sure that the test is there and passes without the fault, once
// for each test.
func (r *runner) passes(ctx context.Context, f Fault) error {
	key := f.Package + " " + f.Test + " " + f.Tags
	if err, known := r.sound[key]; known {
		return err
	}
	output, err := r.test(ctx, f, "")
	if verdict(output, f.Test) == "PASS" && err == nil {
		r.sound[key] = nil
		return nil
	}
	r.sound[key] = fmt.Errorf("%w:\n%s", errUnsound, tail(output))
	return r.sound[key]
}

// draws says whether the tests of a fault's package draw their cases.
func (r *runner) draws(ctx context.Context, f Fault) bool {
	command := exec.CommandContext(ctx, "go", "list", "-tags", f.Tags, "-f", "{{.TestImports}} {{.XTestImports}}", f.Package)
	command.Dir = r.root
	command.Env = environment()
	imports, err := command.Output()
	return err == nil && bytes.Contains(imports, []byte("pgregory.net/rapid"))
}

// test runs the fault's test and answers what it printed; an overlay holds the changed
// code.
func (r *runner) test(ctx context.Context, f Fault, overlay string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, r.limit+time.Minute)
	defer cancel()
	args := []string{"test", "-v", "-timeout", r.limit.String(), "-run", pattern(f.Test)}
	if f.Tags != "" {
		args = append(args, "-tags", f.Tags)
	}
	if overlay != "" {
		args = append(args, "-overlay", overlay, "-count=1")
	}
	args = append(args, f.Package)
	if overlay != "" && r.draws(ctx, f) {
		// Chance gets more time to find it, and what is found is not made small for
		// anybody to read, or kept in the tree.
		args = append(args, "-rapid.checks=400", "-rapid.shrinktime=1ms", "-rapid.nofailfile")
	}
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = r.root
	command.Env = environment()
	// Processes that a killed test left behind must not keep us waiting.
	command.WaitDelay = 10 * time.Second
	output, err := command.CombinedOutput()
	return string(output), err
}

// environment is ours without what was set to run this program outside the
// workspace: the tests run inside it.
func environment() []string {
	var env []string
	for _, v := range os.Environ() {
		if v != "GOWORK=off" {
			env = append(env, v)
		}
	}
	return env
}

// pattern matches exactly the named test, subtests included.
func pattern(test string) string {
	parts := strings.Split(test, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	return strings.Join(parts, "/")
}

// verdict is what the test runner printed about the named test, "PASS", "FAIL"
// or "SKIP", and empty if it printed nothing about it.
func verdict(output, test string) string {
	// The test's own prints may stand on the same line before the verdict.
	found := regexp.MustCompile(`--- (PASS|FAIL|SKIP): `+regexp.QuoteMeta(test)+` \(`).FindAllStringSubmatch(output, -1)
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1][1]
}

// tail is the end of an output, indented.
func tail(output string) string {
	lines := strings.Split(strings.TrimRight(output, "\n"), "\n")
	if len(lines) > 15 {
		lines = lines[len(lines)-15:]
	}
	return "    " + strings.Join(lines, "\n    ")
}
