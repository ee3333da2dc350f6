package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
)

func reportEvidence() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "evidence REPORT --name FIGURE --why TEXT",
		Short: "Which leads a mark is about, and the events behind it; for who answers for the figure",
		Long: `Shows the leads that a figure of the report padding counted, with the events that each
rests on and who brought them about. It is for who is named as accountable for the
figure's party, in the agreement in force or in the targets of this quarter, and for the
arbiter: by their handle, whatever roles others have. That they read it, and why, is an
event of the log, which is written before anything is shown.`,
		Example: "  baton report evidence padding --name flagged --why \"before the quarter is closed\"\n  baton report evidence padding --name repeated --where source=web --frame activity --from 2026-10-01 --to 2027-01-01 --why \"asked by sales\"",
		Args:    exactly("REPORT"),
	}
	ask := questionFlags(cmd)
	name := cmd.Flags().String("name", "", "figure, as baton report metrics names it behind the dot")
	why := cmd.Flags().String("why", "", "what it is read for; it is written down with your name")
	limit := cmd.Flags().Int("limit", defaultList, "show at most so many leads")
	key := keyFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		question, err := ask(args[0])
		if err != nil {
			return err
		}
		switch {
		case *name == "":
			return misused(cmd, "--name says which figure: baton report metrics %s lists them", args[0])
		case strings.TrimSpace(*why) == "":
			return misused(cmd, "say with --why what it is read for")
		case *limit < 1 || *limit > 200:
			return misused(cmd, "--limit is a whole number from 1 to 200")
		}
		req := &feedbackv1.OpenEvidenceRequest{Question: question, Name: strings.TrimPrefix(*name, args[0]+"."), Why: *why, PageSize: int32(*limit), IdempotencyKey: orNewKey(*key)} // #nosec G115 -- at most 200
		return client(func(c *call) error { return c.showEvidence(req) })(cmd, args)
	}
	return cmd
}

func (c *call) showEvidence(req *feedbackv1.OpenEvidenceRequest) error {
	ctx, cancel := c.patient(req.GetQuestion())
	defer cancel()
	got, err := c.feedback().OpenEvidence(ctx, req)
	if err != nil {
		return err
	}
	out := c.cmd.OutOrStdout()
	if c.format == formatJSON {
		return writeMessage(out, got)
	}
	fmt.Fprintf(out, "That you read this stands in the log as entry %d.\n", got.GetSequence())
	if len(got.GetLeads()) == 0 {
		_, err := fmt.Fprintf(out, "\nNo lead counts for this figure.\n")
		return err
	}
	for _, l := range got.GetLeads() {
		fmt.Fprintf(out, "\nLead %s from %s: %s\n", l.GetLeadId(), cell(l.GetSource()), cmp.Or(strings.ReplaceAll(strings.Join(l.GetFindings(), ", "), "_", " "), "no mark"))
		fmt.Fprintf(out, "Person %s. MQL since %s, recorded %s.\n", dash(l.GetPersonId()), stamp(l.GetOccurredAt()), stamp(l.GetRecordedAt()))
		t := table{head: []string{"ENTRY", "HAPPENED", "RECORDED", "BY", "WHAT"}, most: 90}
		for _, e := range l.GetEvents() {
			t.add(strconv.FormatUint(e.GetSequence(), 10), stamp(e.GetOccurredAt()), stamp(e.GetRecordedAt()), cmp.Or(e.GetActor(), "Baton"), e.GetText())
		}
		if err := t.write(out); err != nil {
			return err
		}
	}
	if got.GetNextPageToken() != "" {
		_, err := fmt.Fprintf(out, "\nThere are more; --limit shows up to 200, --where fewer at a time.\n")
		return err
	}
	return nil
}
