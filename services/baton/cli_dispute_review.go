package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/lead"
)

// reviewKeys are the keys of the verdicts, in the order of lead.Rulings.
const reviewKeys = "mqcndo"

func disputeReview() *cobra.Command {
	var keys strings.Builder
	for i, r := range lead.Rulings() {
		about := ""
		if r.Criterion {
			about = " (" + reviewKeys[i:i+1] + "a: criterion a)"
		}
		fmt.Fprintf(&keys, "  %c      %s%s\n", reviewKeys[i], r.Text, about)
	}
	return &cobra.Command{
		Use:   "review",
		Short: "Go through what was drawn for review, a key or two a lead",
		Long: `Shows the open cases that were drawn for review, one after another, each with the
lead as it was handed over and the verdicts that suggest themselves, and takes a
verdict:

  Enter  the first that suggests itself
  1-9    another of them
` + keys.String() + `  s      later
  x      no more for now

What is read is ended by Enter. It takes the arbiter or a manager.`,
		Example: `  baton dispute draw --from 2026-03-02
  baton dispute review`,
		Args: exactly(),
		RunE: client(func(c *call) error {
			all, err := c.disputes(&feedbackv1.ListDisputesRequest{Review: true})
			if err != nil {
				return err
			}
			return c.review(bufio.NewReader(c.cmd.InOrStdin()), all.GetDisputes())
		}),
	}
}

func (c *call) review(in *bufio.Reader, cases []*feedbackv1.Dispute) error {
	out := c.cmd.OutOrStdout()
	if len(cases) == 0 {
		_, err := fmt.Fprintln(out, "Nothing waits for review; baton dispute draw draws some.")
		return err
	}
	service := feedbackv1.NewFeedbackServiceClient(c.conn)
	decided := 0
	for i, one := range cases {
		d, err := service.GetDispute(c.ctx, &feedbackv1.GetDisputeRequest{DisputeId: one.GetDisputeId()})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "\n%d of %d\n", i+1, len(cases))
		if err := writeDispute(out, d); err != nil {
			return err
		}
		if err := writeEvidence(out, d); err != nil {
			return err
		}
		for {
			fmt.Fprint(out, "\nVerdict (Enter, 1-9, m q c n d o, s later, x end): ")
			line, err := in.ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if errors.Is(err, io.EOF) && line == "" {
				line = "x"
			}
			req, why := verdictTyped(strings.TrimSpace(line), d)
			switch {
			case why == "later":
			case why == "end":
				_, err := fmt.Fprintf(out, "\n%s decided, %d left.\n", counted(int64(decided), "case", "cases"), len(cases)-decided)
				return err
			case why != "":
				fmt.Fprintln(out, why)
				continue
			default:
				// The case is the key: nobody decides it twice.
				req.IdempotencyKey = "review-" + d.GetDisputeId()
				done, err := service.DecideDispute(c.ctx, req)
				if err != nil {
					fmt.Fprintln(out, cell(access.FaultOf(err).Error()))
					continue
				}
				decided++
				fmt.Fprintf(out, "Case %s: a finding against %s.\n", cell(done.GetDisputeId()), cell(done.GetDecided().GetFinding()))
			}
			break
		}
	}
	_, err := fmt.Fprintf(out, "\n%s decided, %d left.\n", counted(int64(decided), "case", "cases"), len(cases)-decided)
	return err
}

// verdictTyped reads what was typed on a case; why says what else is meant or what is wrong.
func verdictTyped(typed string, d *feedbackv1.Dispute) (req *feedbackv1.DecideDisputeRequest, why string) {
	hints := d.GetEvidence().GetHints()
	if typed == "" {
		typed = "1"
		if len(hints) == 0 {
			return nil, "Nothing suggests itself here; type the key of a verdict."
		}
	}
	switch typed {
	case "s":
		return nil, "later"
	case "x":
		return nil, "end"
	}
	if n, err := strconv.Atoi(typed); err == nil {
		if n < 1 || n > len(hints) {
			return nil, fmt.Sprintf("There are %d suggestions.", len(hints))
		}
		return &feedbackv1.DecideDisputeRequest{DisputeId: d.GetDisputeId(), Verdict: hints[n-1].GetVerdict(), Criterion: hints[n-1].GetCriterion()}, ""
	}
	i := strings.IndexByte(reviewKeys, typed[0])
	if i < 0 || len(typed) > 2 {
		return nil, "That is none of the keys."
	}
	ruling := lead.Rulings()[i]
	req = &feedbackv1.DecideDisputeRequest{DisputeId: d.GetDisputeId(), Verdict: ruling.Verdict}
	criteria := d.GetEvidence().GetExplanation().GetCriteria()
	switch {
	case !ruling.Criterion && len(typed) == 2:
		return nil, "That verdict is about no criterion."
	case !ruling.Criterion:
	case len(typed) == 1 || int(typed[1]-'a') >= len(criteria) || typed[1] < 'a':
		return nil, "Say which criterion, by its letter: " + typed[:1] + "a, for example."
	default:
		req.Criterion = criteria[typed[1]-'a'].GetId()
	}
	return req, ""
}
