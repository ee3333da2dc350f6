package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/lead"
)

func leadOutcome() *cobra.Command {
	c := &cobra.Command{
		Use:   "outcome ID --kind touch|working|stage|won|lost",
		Short: "Say what became of a lead",
		Long: `Says what became of a lead: sales touched the person, works on it, brought the deal to
another stage, won it or lost it. The first touch stops the response clock of the
reports. Dispositions of touches and stages of deals are those that are agreed.` + whoActs,
		Example: `  baton lead outcome l2c4q… --kind touch --channel call --disposition no-answer
  baton lead outcome l2c4q… --kind touch --channel email --direction in --minutes 10
  baton lead outcome l2c4q… --kind stage --deal-stage offer
  baton lead outcome l2c4q… --kind won --value 1200.50 --currency EUR
  baton lead outcome l2c4q… --kind lost --reason price`,
		Args: exactly("ID"),
	}
	flags := c.Flags()
	kind := flags.String("kind", "", "touch, working, stage, won or lost")
	channel := flags.String("channel", "", "of a touch: call, email, meeting or other")
	direction := flags.String("direction", "", "of a touch: out (you called or wrote) or in (they did)")
	disposition := flags.String("disposition", "", "what came of a touch, by an agreed word")
	stage := flags.String("deal-stage", "", "stage of the deal, by an agreed word")
	minutes := flags.Int32("minutes", 0, "how long it took (default not said)")
	reason := flags.String("reason", "", "of a lost deal, in a word")
	value := flags.String("value", "", "of a won deal, such as 1200.50")
	currency := flags.String("currency", "", "of the value, such as EUR")
	note := flags.String("note", "", "free text; sealed")
	flags.String("at", "", "when it happened (default now)")
	key := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		req := &feedbackv1.RecordOutcomeRequest{
			LeadId: args[0], Kind: outcomes[*kind], Channel: *channel, Direction: *direction, Disposition: *disposition, DealStage: *stage, Minutes: *minutes,
			Reason: *reason, Note: *note, IdempotencyKey: orNewKey(*key),
		}
		switch {
		case req.GetKind() == leadv1.OutcomeKind_OUTCOME_KIND_UNSPECIFIED:
			return misused(cmd, "say with --kind what it is: touch, working, stage, won or lost")
		case *channel != "" && *kind != "touch":
			return misused(cmd, "--channel goes with --kind touch")
		case *channel != "" && !strings.Contains(" call email meeting other ", " "+*channel+" "):
			return misused(cmd, "--channel is %q; it can be call, email, meeting or other", *channel)
		case (*direction != "" || *disposition != "") && *kind != "touch":
			return misused(cmd, "--direction and --disposition go with --kind touch")
		case *direction != "" && *direction != lead.DirectionIn && *direction != lead.DirectionOut:
			return misused(cmd, "--direction is %q; it can be out or in", *direction)
		case (*stage != "") != (*kind == "stage"):
			return misused(cmd, "--deal-stage and --kind stage go together")
		case *minutes < 0 || *minutes > 1440:
			return misused(cmd, "--minutes is %d; it can be 0 to 1440", *minutes)
		case *reason != "" && *kind != "lost":
			return misused(cmd, "--reason goes with --kind lost")
		case (*value != "" || *currency != "") && *kind != "won":
			return misused(cmd, "--value and --currency go with --kind won")
		case (*value == "") != (*currency == ""):
			return misused(cmd, "--value and --currency go together")
		}
		var err error
		if req.OccurredAt, err = instantFlag(cmd, "at"); err != nil {
			return err
		}
		if *value != "" {
			digits, known := lead.MinorDigits(*currency)
			if !known {
				return misused(cmd, "--currency is %q; it is three capital letters, such as EUR", *currency)
			}
			n, ok := scaled(*value, digits)
			if !ok || n < 0 {
				return misused(cmd, "--value is %q; write a number with at most %d decimals, such as 1200.5", *value, digits)
			}
			req.ValueMinor, req.Currency = n, *currency
		}
		return client(func(c *call) error {
			done, err := feedbackv1.NewFeedbackServiceClient(c.conn).RecordOutcome(c.ctx, req)
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return writeMessage(c.cmd.OutOrStdout(), done)
			}
			_, err = fmt.Fprintf(c.cmd.OutOrStdout(), "Recorded (event %d).\n", done.GetSequence())
			return err
		})(cmd, args)
	}
	return c
}
