package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestDocumentedCommandsExist holds that every command line in the README and
// in the guides for operators, sources, the score, files, targets, the agreement with its life and changes, delivery, fairness and the simulation is one that
// the program takes: its words, its flags and its number of arguments.
func TestDocumentedCommandsExist(t *testing.T) {
	for _, file := range []string{
		"../../README.md", "../../docs/operations.md", "../../docs/sources.md", "../../docs/score.md",
		"../../docs/targets.md",
		"../../docs/agreement.md", "../../docs/agreement-life.md", "../../docs/agreement-changes.md",
		"../../docs/delivery.md", "../../docs/fairness.md", "../../docs/simulate.md",
		"../../docs/disputes.md",
		"../../docs/feedback.md",
		"../../docs/import.md",
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := documented(string(text))
		if len(lines) == 0 {
			t.Errorf("%s shows no command", file)
		}
		for _, line := range lines {
			if err := takes(words(line)); err != nil {
				t.Errorf("%s shows %q, which the program does not take: %v", file, line, err)
			}
		}
	}
	if err := takes([]string{"lead", "shwo", "x"}); err == nil {
		t.Error("a command that does not exist was taken for one")
	}
	if err := takes([]string{"report", "funnel", "--bye", "source"}); err == nil {
		t.Error("a flag that does not exist was taken for one")
	}
}

// documented are the lines of shell blocks that call the program.
func documented(text string) []string {
	var out []string
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```sh"
		case inside:
			for _, call := range []string{"baton ", "go run ./services/baton "} {
				if rest, ok := strings.CutPrefix(line, call); ok {
					rest, _, _ = strings.Cut(rest, " #")
					// Where the shell puts the answer is the shell's business.
					rest, _, _ = strings.Cut(rest, " > ")
					out = append(out, strings.TrimSpace(rest))
				}
			}
		}
	}
	return out
}

// words splits a line as a shell would, as far as our examples need it.
func words(line string) []string {
	var out []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return out
}

// takes says whether the command line would be carried out.
func takes(args []string) error {
	cmd, rest, err := program().Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if cmd.Args == nil {
		return cobra.ArbitraryArgs(cmd, cmd.Flags().Args())
	}
	return cmd.Args(cmd, cmd.Flags().Args())
}
