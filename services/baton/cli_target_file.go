package main

import (
	"errors"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/feedback"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

// targetFile is what people write to propose targets.
type targetFile struct {
	Why     string       `yaml:"why"`
	Targets []targetSpec `yaml:"targets"`
}

// targetSpec is one target as people write it: a count of leads, or a value with its
// currency.
type targetSpec struct {
	ID         string `yaml:"id"`
	Outcome    string `yaml:"outcome"`
	Count      int64  `yaml:"count"`
	Value      string `yaml:"value"`
	Currency   string `yaml:"currency"`
	Definition int64  `yaml:"definition"`
	Segment    string `yaml:"segment"`
	Parent     string `yaml:"parent"`
	Marketing  string `yaml:"marketing"`
	Sales      string `yaml:"sales"`
}

func readTargets(path string) (*targetFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.New(fault.NotFound, "the targets cannot be read: %w", err)
	}
	defer f.Close()
	out := &targetFile{}
	if err := yaml.NewDecoder(io.LimitReader(f, maxMap), yaml.DisallowUnknownField()).Decode(out); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fault.New(fault.Invalid, "%s is empty; it must list targets", path)
		}
		return nil, fault.New(fault.Invalid, "%s: %s", path, yaml.FormatError(err, false, true))
	}
	if len(out.Targets) == 0 {
		return nil, fault.New(fault.Invalid, "%s lists no targets; write under targets what the quarter is to bring", path)
	}
	return out, nil
}

// targetKeys begin the parts of a target on the command line. What stands between two of
// them is one value, so that a segment may hold commas.
var targetKeys = regexp.MustCompile(`(?:^|,)(id|outcome|count|value|currency|definition|segment|parent|marketing|sales)=`)

// targetOf reads a target from the command line.
func targetOf(text string) (targetSpec, error) {
	var out targetSpec
	at := targetKeys.FindAllStringSubmatchIndex(text, -1)
	if len(at) == 0 || at[0][0] != 0 {
		return out, fault.New(fault.Invalid, "a target is written as id=…,outcome=…,count=…,marketing=…,sales=…; this is %q", text)
	}
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		key, value := text[m[2]:m[3]], text[m[1]:end]
		var err error
		switch key {
		case "id":
			out.ID = value
		case "outcome":
			out.Outcome = value
		case "count":
			out.Count, err = strconv.ParseInt(value, 10, 64)
		case "value":
			out.Value = value
		case "currency":
			out.Currency = value
		case "definition":
			out.Definition, err = strconv.ParseInt(value, 10, 64)
		case "segment":
			out.Segment = value
		case "parent":
			out.Parent = value
		case "marketing":
			out.Marketing = value
		case "sales":
			out.Sales = value
		}
		if err != nil {
			return out, fault.New(fault.Invalid, "%s is %q; it must be a whole number", key, value)
		}
	}
	return out, nil
}

// target is what is proposed; definition is the version where none is named.
func (s *targetSpec) target(definition int64) (*feedbackv1.Target, error) {
	outcome, err := feedback.TargetOutcome(s.Outcome)
	if err != nil {
		return nil, fault.New(fault.Invalid, "target %s: %s", s.ID, err.Error())
	}
	out := &feedbackv1.Target{
		TargetId: s.ID, Outcome: outcome, Count: s.Count, Currency: s.Currency, Definition: s.Definition,
		Segment: strings.TrimSpace(s.Segment), Parent: s.Parent, Marketing: s.Marketing, Sales: s.Sales,
	}
	if out.Definition == 0 {
		out.Definition = definition
	}
	value := outcome == feedbackv1.TargetOutcome_TARGET_OUTCOME_WON_VALUE
	switch {
	case value && s.Count != 0:
		return nil, fault.New(fault.Invalid, "target %s: a value is no count of leads; write it as value: with its currency:", s.ID)
	case !value && (s.Value != "" || s.Currency != ""):
		return nil, fault.New(fault.Invalid, "target %s: %s counts leads, so write count:; only won-value has a value and a currency", s.ID, s.Outcome)
	case !value && s.Count <= 0:
		return nil, fault.New(fault.Invalid, "target %s: say with count: how many leads the quarter is to bring", s.ID)
	case value:
		digits, ok := lead.MinorDigits(s.Currency)
		if !ok {
			return nil, fault.New(fault.Invalid, "target %s: a value needs its currency, such as EUR", s.ID)
		}
		if out.Count, ok = scaled(s.Value, digits); !ok || out.Count <= 0 {
			return nil, fault.New(fault.Invalid, "target %s: the value is %q; write a number with at most %d decimals, such as 250000", s.ID, s.Value, digits)
		}
	}
	return out, nil
}
