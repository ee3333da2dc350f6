package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/intake"
)

// What people do with a lead. Who does it is who calls: the token says so.

const whoActs = `

Who does it is who calls: use the person's own token (--token or BATON_TOKEN).`

func leadAccept() *cobra.Command {
	c := &cobra.Command{
		Use:     "accept ID",
		Short:   "Take a lead that is offered to you",
		Long:    "Takes a lead that is offered to you, before its clock runs out." + whoActs,
		Example: `  BATON_TOKEN=baton_… baton lead accept l2c4q…`,
		Args:    exactly("ID"),
	}
	key := keyFlag(c)
	c.RunE = client(func(c *call) error {
		done, err := routingv1.NewRoutingServiceClient(c.conn).Accept(c.ctx, &routingv1.AcceptRequest{LeadId: c.args[0], IdempotencyKey: orNewKey(*key)})
		if err != nil {
			return err
		}
		if c.format == formatJSON {
			return writeMessage(c.cmd.OutOrStdout(), done)
		}
		_, err = fmt.Fprintf(c.cmd.OutOrStdout(), "%s is yours (event %d).\n", cell(c.args[0]), done.GetSequence())
		return err
	})
	return c
}

func leadReject() *cobra.Command {
	c := &cobra.Command{
		Use:   "reject ID --reason REASON",
		Short: "Decline a lead, with an agreed reason",
		Long: `Declines a lead that you hold or were offered. The reason is one of those that the
agreement lists; it also says where the lead goes: to the next person, back to
marketing, or out. A note is sealed: the log shows only that there is one.` + whoActs,
		Example: `  baton lead reject l2c4q… --reason no-budget --note "asked again for 2027"`,
		Args:    exactly("ID"),
	}
	reason := c.Flags().String("reason", "", "reason from the agreement")
	note := c.Flags().String("note", "", "free text; sealed")
	key := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if *reason == "" {
			return misused(cmd, "say with --reason why, by one of the agreement's reasons")
		}
		return client(func(c *call) error {
			done, err := routingv1.NewRoutingServiceClient(c.conn).Reject(c.ctx, &routingv1.RejectRequest{LeadId: c.args[0], Reason: *reason, Note: *note, IdempotencyKey: orNewKey(*key)})
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return writeMessage(c.cmd.OutOrStdout(), done)
			}
			then := map[leadv1.Consequence]string{
				leadv1.Consequence_CONSEQUENCE_NEXT_PERSON: "It goes to the next eligible person.",
				leadv1.Consequence_CONSEQUENCE_NURTURE:     "It goes back to marketing.",
				leadv1.Consequence_CONSEQUENCE_DISQUALIFY:  "It is out.",
			}[done.GetConsequence()]
			_, err = fmt.Fprintf(c.cmd.OutOrStdout(), "%s is declined (event %d). %s\n", cell(c.args[0]), done.GetSequence(), then)
			return err
		})(cmd, args)
	}
	return c
}

func leadCall() *cobra.Command {
	c := &cobra.Command{
		Use:   "call ID [--reached] [--fit] [--horizon MONTHS]",
		Short: "Record a call with the person; the decision follows from it",
		Long: `Records a call with the person behind a lead. From a qualifier's call it follows
whether the lead is SAL or SQL: an SQL needs a confirmed fit and a horizon inside the
agreed limit. --fit and --horizon say that the person was reached.` + whoActs,
		Example: `  baton lead call l2c4q… --reached --fit --horizon 3
  baton lead call l2c4q… --fit --horizon 12 --answer budget=20000 --note "in the new fiscal year"
  baton lead call l2c4q…                 nobody was reached`,
		Args: exactly("ID"),
	}
	flags := c.Flags()
	reached := flags.Bool("reached", false, "the person was reached")
	fit := flags.Bool("fit", false, "the customer profile was confirmed")
	horizon := flags.Int64("horizon", 0, "months until the person wants to buy (default not stated)")
	answers := flags.StringArray("answer", nil, "answer to an agreed question, as QUESTION=ANSWER; may be repeated")
	note := flags.String("note", "", "free text; sealed")
	flags.String("at", "", "when the call took place (default now)")
	key := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		req := &qualificationv1.RecordCallRequest{LeadId: args[0], Reached: *reached, FitConfirmed: *fit, Note: *note, IdempotencyKey: orNewKey(*key)}
		if cmd.Flags().Changed("horizon") {
			if *horizon < 0 {
				return misused(cmd, "--horizon is %d; it is a number of months from 0", *horizon)
			}
			req.HorizonMonths = horizon
		}
		if (*fit || req.HorizonMonths != nil) && !*reached {
			if cmd.Flags().Changed("reached") {
				return misused(cmd, "--fit and --horizon come out of a call that reached the person")
			}
			req.Reached = true
		}
		var err error
		if req.OccurredAt, err = instantFlag(cmd, "at"); err != nil {
			return err
		}
		for _, a := range *answers {
			if q, _, ok := strings.Cut(a, "="); !ok || q == "" {
				return misused(cmd, "--answer is %q; write QUESTION=ANSWER", a)
			}
		}
		return client(func(c *call) error {
			if req.Answers, err = c.answers(*answers); err != nil {
				return err
			}
			done, err := qualificationv1.NewQualificationServiceClient(c.conn).RecordCall(c.ctx, req)
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return writeMessage(c.cmd.OutOrStdout(), done)
			}
			_, err = fmt.Fprintf(c.cmd.OutOrStdout(), "The call is recorded (event %d); baton lead explain %s says what follows.\n", done.GetSequence(), cell(c.args[0]))
			return err
		})(cmd, args)
	}
	return c
}

// answers reads answers as the questionnaire in force types them.
func (c *call) answers(typed []string) (map[string]*leadv1.Value, error) {
	if len(typed) == 0 {
		return nil, nil
	}
	a, err := agreementv1.NewAgreementServiceClient(c.conn).GetAgreement(c.ctx, &agreementv1.GetAgreementRequest{})
	if err != nil {
		return nil, err
	}
	compiled, err := agreement.Restore(a.GetDocument())
	if err != nil {
		return nil, err
	}
	// The server knows which stage the lead is at, and refuses what is not asked there.
	var questions []agreement.Question
	for _, sheet := range compiled.Questionnaires() {
		questions = append(questions, sheet.Questions...)
	}
	out := map[string]*leadv1.Value{}
	for _, one := range typed {
		id, text, _ := strings.Cut(one, "=")
		v, why := answerTo(questions, id, text)
		if why != "" {
			return nil, misused(c.cmd, "--answer %s: %s", id, why)
		}
		out[id] = v
	}
	return out, nil
}

func answerTo(questions []agreement.Question, id, text string) (v *leadv1.Value, why string) {
	var known []string
	for _, q := range questions {
		if q.ID != id {
			known = append(known, q.ID)
			continue
		}
		switch q.Type {
		case "number":
			n, ok := scaled(text, int(q.Scale))
			if !ok {
				return nil, fmt.Sprintf("%q is no number with at most %d decimals", text, q.Scale)
			}
			return &leadv1.Value{Kind: &leadv1.Value_Number{Number: n}}, ""
		case "flag":
			yes, ok := intake.Flag(text)
			if !ok {
				return nil, fmt.Sprintf("%q is neither yes nor no", text)
			}
			return &leadv1.Value{Kind: &leadv1.Value_Flag{Flag: yes}}, ""
		}
		for _, word := range q.Values {
			if strings.EqualFold(word, strings.TrimSpace(text)) {
				return &leadv1.Value{Kind: &leadv1.Value_Text{Text: word}}, ""
			}
		}
		return nil, fmt.Sprintf("%q is not agreed; use one of %s", text, strings.Join(q.Values, ", "))
	}
	if len(known) == 0 {
		return nil, "the agreement in force has no questions for calls"
	}
	return nil, "there is no such question; the agreement asks " + strings.Join(known, ", ")
}

// outcomes are what can become of a lead, by their words.
var outcomes = map[string]leadv1.OutcomeKind{
	"touch":   leadv1.OutcomeKind_OUTCOME_KIND_TOUCH,
	"working": leadv1.OutcomeKind_OUTCOME_KIND_WORKING,
	"stage":   leadv1.OutcomeKind_OUTCOME_KIND_STAGE,
	"won":     leadv1.OutcomeKind_OUTCOME_KIND_WON,
	"lost":    leadv1.OutcomeKind_OUTCOME_KIND_LOST,
}

// scaled reads a decimal number as a whole number of its smallest part: with
// two decimals 12.5 is 1250. It refuses what it would have to round.
func scaled(text string, decimals int) (int64, bool) {
	text = strings.TrimSpace(text)
	whole, fraction, _ := strings.Cut(text, ".")
	digits := strings.TrimPrefix(whole, "-")
	if digits == "" || strings.Trim(digits+fraction, "0123456789") != "" || strings.HasSuffix(text, ".") {
		return 0, false
	}
	for decimals < len(fraction) {
		cut, zero := strings.CutSuffix(fraction, "0")
		if !zero {
			return 0, false
		}
		fraction = cut
	}
	if decimals-len(fraction) > 18 {
		return 0, false
	}
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", decimals-len(fraction)), 10, 64)
	return n, err == nil
}
