package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
)

// timeZero is an instant that has passed for sure.
var timeZero = time.Unix(0, 0)

func sourceTest() *cobra.Command {
	c := &cobra.Command{
		Use:   "test NAME FILE",
		Short: "What a source would make of a body; nothing is kept",
		Long: `Reads a body from a file as the source's address would: whether its signature holds
and what was found in it. Nothing is kept, and no lead comes of it. The output
holds what the file holds.`,
		Example: `  baton source test forms body.json
  baton source test forms body.json --header 'Typeform-Signature=sha256=…'
  baton source test landing form.txt --type application/x-www-form-urlencoded`,
		Args: exactly("NAME", "FILE"),
	}
	contentType := c.Flags().String("type", "", "content type of the body (default application/json, or a form where it looks like one)")
	headers := c.Flags().StringArray("header", nil, "header that came with it, name=value; may be repeated")
	query := c.Flags().String("query", "", "query of the address that it came to")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		raw, err := os.ReadFile(args[1])
		if err != nil {
			return misused(cmd, "%s cannot be read: %s", args[1], err.Error())
		}
		req := &intakev1.TestSourceRequest{Source: args[0], Body: raw, ContentType: orJSON(*contentType, raw), Query: *query, Headers: map[string]string{}}
		for _, h := range *headers {
			name, value, ok := strings.Cut(h, "=")
			if !ok {
				return misused(cmd, "--header is %q; write name=value", h)
			}
			req.Headers[strings.TrimSpace(name)] = value
		}
		return client(func(c *call) error {
			got, err := c.intake().TestSource(c.ctx, req)
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return writeMessage(c.cmd.OutOrStdout(), got)
			}
			return writeTest(c.cmd.OutOrStdout(), got)
		})(cmd, args)
	}
	return c
}

func orJSON(contentType string, raw []byte) string {
	switch start := strings.TrimSpace(string(raw[:min(len(raw), 64)])); {
	case contentType != "":
		return contentType
	case strings.HasPrefix(start, "{"), strings.HasPrefix(start, "["), !strings.Contains(start, "="):
		return "application/json"
	}
	return "application/x-www-form-urlencoded"
}

func writeTest(w io.Writer, got *intakev1.TestSourceResponse) error {
	var f facts
	f.add("Signature", got.GetSignature())
	f.add("Cannot be read", got.GetFault())
	if err := f.write(w); err != nil {
		return err
	}
	for i, item := range got.GetItems() {
		fmt.Fprintf(w, "\nSubmission %d would be: %s\n", i+1, item.GetOutcome())
		p := item.GetSubmission().GetPersonal()
		var f facts
		f.add("Name", p.GetName())
		f.add("E-mail", p.GetEmail())
		f.add("Telephone", p.GetPhone())
		f.add("Company", p.GetCompany())
		f.add("Id", item.GetExternalId())
		for _, note := range item.GetNotes() {
			f.add("Note", note)
		}
		if err := f.write(w); err != nil {
			return err
		}
		if err := writeLeaves(w, item.GetLeaves()); err != nil {
			return err
		}
	}
	return nil
}

func writeLeaves(w io.Writer, leaves []*intakev1.LeafFound) error {
	if len(leaves) == 0 {
		return nil
	}
	t := table{head: []string{"PATH", "LABEL", "TYPE", "VALUE", "TAKEN FOR", "MAY BE"}}
	for _, l := range leaves {
		t.add(l.GetPath(), dash(l.GetLabel()), dash(l.GetType()), dash(shortValue(l.GetValue())), dash(l.GetField()), dash(l.GetSuggestion()))
	}
	return t.write(w)
}

// shortValue keeps a table readable.
func shortValue(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// settling is what somebody settles about a source's mapping.
type settling struct {
	set, ignore     []string
	apply, all, dry bool
	deliveries      int
}

func sourceMap() *cobra.Command {
	c := &cobra.Command{
		Use:   "map NAME",
		Short: "See what was found in what came, and settle it",
		Long: `Lists what stands in the latest deliveries of a source: each path with a sample,
what it was taken for, and what it might be. Deliveries that need mapping come
first.

--set and --ignore settle it, for what comes from then on. --apply reads the kept
bodies of leads that need mapping again at once; --all reads those of the other
leads as well. Bodies are kept for 14 days unless --intake-retention of baton up
says otherwise.`,
		Example: `  baton source map landing
  baton source map landing --set email=fields.a7 --set company=fields.b2 --ignore fields.c9
  baton source map landing --set email=fields.a7 --apply`,
		Args: exactly("NAME"),
	}
	var s settling
	f := c.Flags()
	f.SortFlags = false
	f.StringArrayVar(&s.set, "set", nil, "where a field is, FIELD=PATH; a second path for the same field stands in for the first")
	f.StringArrayVar(&s.ignore, "ignore", nil, "path that is nothing; may be repeated")
	f.BoolVar(&s.apply, "apply", false, "read kept bodies again with what is settled now")
	f.BoolVar(&s.all, "all", false, "with --apply: also those of leads that need no mapping")
	f.BoolVar(&s.dry, "dry-run", false, "with --apply: only count")
	f.IntVar(&s.deliveries, "deliveries", 20, "how many deliveries to look at")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		fields, err := s.fields(cmd)
		if err != nil {
			return err
		}
		if s.deliveries < 1 || s.deliveries > 500 {
			return misused(cmd, "--deliveries is a number from 1 to 500")
		}
		return client(func(c *call) error {
			if len(fields) > 0 {
				if err := c.settle(fields); err != nil {
					return err
				}
			}
			switch {
			case s.apply:
				return c.remap(s)
			case len(fields) > 0:
				return c.settled(args[0])
			}
			return c.found(s.deliveries)
		})(cmd, args)
	}
	return c
}

// fields are the settled places of a mapping.
func (s settling) fields(cmd *cobra.Command) (out []*intakev1.FieldPath, err error) {
	at := func(field string) *intakev1.FieldPath {
		for _, f := range out {
			if f.GetField() == field {
				return f
			}
		}
		out = append(out, &intakev1.FieldPath{Field: field})
		return out[len(out)-1]
	}
	for _, text := range s.set {
		field, path, ok := strings.Cut(text, "=")
		if !ok || field == "" || path == "" {
			return nil, misused(cmd, "--set is %q; write FIELD=PATH, such as email=fields.a7", text)
		}
		f := at(field)
		f.Paths = append(f.Paths, path)
	}
	for _, path := range s.ignore {
		f := at("ignore")
		f.Paths = append(f.Paths, path)
	}
	if (s.all || s.dry) && !s.apply {
		return nil, misused(cmd, "--all and --dry-run go with --apply")
	}
	return out, nil
}

// settle puts places into the source's mapping. What is settled of another field
// stays, and what is to be ignored is added to.
func (c *call) settle(fields []*intakev1.FieldPath) error {
	got, err := c.intake().GetSource(c.ctx, &intakev1.GetSourceRequest{Source: c.args[0]})
	if err != nil {
		return err
	}
	mapping := &intakev1.Mapping{}
	if m := got.GetSource().GetMapping(); m != nil {
		mapping = proto.Clone(m).(*intakev1.Mapping)
	}
	for _, f := range fields {
		var stands *intakev1.FieldPath
		for _, have := range mapping.GetFields() {
			if have.GetField() == f.GetField() {
				stands = have
			}
		}
		switch {
		case stands == nil:
			mapping.Fields = append(mapping.Fields, f)
		case f.GetField() == "ignore":
			stands.Paths = append(stands.Paths, f.GetPaths()...)
		default:
			stands.Paths = f.GetPaths()
		}
	}
	_, err = c.intake().ChangeSource(c.ctx, &intakev1.ChangeSourceRequest{
		Name: c.args[0], Source: &intakev1.SourceDeclared{Mapping: mapping}, Fields: []string{"mapping"}, Version: got.GetSource().GetVersion(), Reason: "mapping settled",
	})
	return err
}

func (c *call) settled(name string) error {
	got, err := c.intake().GetSource(c.ctx, &intakev1.GetSourceRequest{Source: name})
	if err != nil {
		return err
	}
	out := c.cmd.OutOrStdout()
	if c.format == formatJSON {
		return writeMessage(out, got)
	}
	if err := writeSource(out, got.GetSource(), got.GetPath(), got.GetUrl()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nIt counts for what comes from now on. What came before is read again with:\n\n  baton source map %s --apply\n", name)
	return err
}

func (c *call) remap(s settling) error {
	got, err := c.intake().RemapSource(c.ctx, &intakev1.RemapSourceRequest{Source: c.args[0], All: s.all, DryRun: s.dry})
	if err != nil {
		return err
	}
	out := c.cmd.OutOrStdout()
	if c.format == formatJSON {
		return writeMessage(out, got)
	}
	says := "say something else now"
	if s.dry {
		says = "would say something else"
	}
	_, err = fmt.Fprintf(out, "%s read again: %s %s, %s settled, %s still to be mapped, %s gone with the key of its day.\n",
		counted(got.GetRead(), "submission", "submissions"), counted(got.GetChanged(), "lead", "leads"), says, grouped(got.GetSettled()), grouped(got.GetOpen()), grouped(got.GetGone()))
	if err == nil && got.GetRead() == 0 && !s.all {
		_, err = fmt.Fprintf(out, "Only leads that need mapping were looked at; all others too:\n\n  baton source map %s --apply --all\n", c.args[0])
	}
	return err
}

// found lists what stands in deliveries, those that need mapping before the
// others; the first of each path is its sample.
func (c *call) found(most int) error {
	seen := map[string]*intakev1.LeafFound{}
	all := &intakev1.MappedItem{}
	looked := 0
	for _, outcome := range []string{"needs-mapping", ""} {
		if looked >= most {
			break
		}
		list, err := c.intake().ListDeliveries(c.ctx, &intakev1.ListDeliveriesRequest{Source: c.args[0], Content: true, Outcome: outcome, PageSize: int32(most - looked)}) // #nosec G115 -- 500 at most
		if err != nil {
			return err
		}
		looked += len(list.GetDeliveries())
		for _, d := range list.GetDeliveries() {
			for _, item := range d.GetItems() {
				for _, l := range item.GetLeaves() {
					if have := seen[l.GetPath()]; have == nil || have.GetValue() == "" && l.GetValue() != "" {
						if have == nil {
							all.Leaves = append(all.Leaves, l)
							seen[l.GetPath()] = l
							continue
						}
						proto.Merge(have, l)
					}
				}
			}
		}
	}
	out := c.cmd.OutOrStdout()
	if c.format == formatJSON {
		return writeMessage(out, all)
	}
	if len(all.GetLeaves()) == 0 {
		_, err := fmt.Fprintf(out, "Nothing that can be read has come from %s yet. Send something to its address, or try a body with baton source test.\n", c.args[0])
		return err
	}
	if err := writeLeaves(out, all.GetLeaves()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nSettle it with --set FIELD=PATH and --ignore PATH.\n")
	return err
}
