package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
)

func leadRide() *cobra.Command {
	return group(&cobra.Command{
		Use:   "ride",
		Short: "Ride along: marketing listens while sales talks with a lead, and both share the note",
		Long: `Somebody of marketing asks to listen to a talk with a lead; who has the lead, or who
listened, says that it was held and shares a note of the talk. Nothing about the lead
changes. baton report training counts them.`,
	}, rideAsk(), rideHeld(), rideList())
}

func rideAsk() *cobra.Command {
	c := &cobra.Command{
		Use:     "ask ID",
		Short:   "Ask to listen to a talk with a lead",
		Long:    `Asks to listen to a talk with a lead. What you want to hear about is kept sealed.`,
		Example: `  baton lead ride ask lk2jx --note "which words they use for delays"`,
		Args:    exactly("ID"),
	}
	note := c.Flags().String("note", "", "what you want to hear about; kept sealed")
	key := keyFlag(c)
	c.RunE = client(func(c *call) error {
		r, err := c.feedback().RequestRide(c.ctx, &feedbackv1.RequestRideRequest{LeadId: c.args[0], Note: *note, IdempotencyKey: orNewKey(*key)})
		return c.showRide(r, err)
	})
	return c
}

func rideHeld() *cobra.Command {
	c := &cobra.Command{
		Use:   "held ID RIDE --note TEXT",
		Short: "Say that somebody listened, and share the note of the talk",
		Long: `Says that a ride along was held, with the note of the talk. It is said once; the note is
kept sealed, and both departments read it.`,
		Example: `  baton lead ride held lk2jx 0f3a9c1d22b4 --note "they say late trucks, not delays"`,
		Args:    exactly("ID", "RIDE"),
	}
	note := c.Flags().String("note", "", "the note that both departments read; kept sealed")
	key := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(*note) == "" {
			return misused(cmd, "share with --note what was learned")
		}
		return client(func(c *call) error {
			r, err := c.feedback().RecordRide(c.ctx, &feedbackv1.RecordRideRequest{LeadId: c.args[0], RideId: c.args[1], Note: *note, IdempotencyKey: orNewKey(*key)})
			return c.showRide(r, err)
		})(cmd, args)
	}
	return c
}

func rideList() *cobra.Command {
	return &cobra.Command{
		Use:     "list ID",
		Short:   "List the rides along on a lead, with their notes",
		Long:    `Lists the rides along on a lead, with their notes for members of both departments.`,
		Example: `  baton lead ride list lk2jx`,
		Args:    exactly("ID"),
		RunE: client(func(c *call) error {
			got, err := c.feedback().ListRides(c.ctx, &feedbackv1.ListRidesRequest{LeadId: c.args[0]})
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return writeMessage(c.cmd.OutOrStdout(), got)
			}
			if len(got.GetRides()) == 0 {
				_, err := fmt.Fprintf(c.cmd.OutOrStdout(), "Nobody of marketing asked to listen; baton lead ride ask %s does.\n", c.args[0])
				return err
			}
			for _, r := range got.GetRides() {
				if err := c.showRide(r, nil); err != nil {
					return err
				}
			}
			return nil
		}),
	}
}

func (c *call) showRide(r *feedbackv1.Ride, err error) error {
	if err != nil {
		return err
	}
	out := c.cmd.OutOrStdout()
	if c.format == formatJSON {
		return writeMessage(out, r)
	}
	fmt.Fprintf(out, "Ride %s: %s asked on %s: %s\n", r.GetRideId(), r.GetMember(), stamp(r.GetRequestedAt()), cmp.Or(cell(r.GetRequest()), "-"))
	if r.GetHost() == "" {
		_, err := fmt.Fprintf(out, "Not held yet; baton lead ride held %s %s --note TEXT shares the note.\n", r.GetLeadId(), r.GetRideId())
		return err
	}
	_, err = fmt.Fprintf(out, "Held on %s, with %s talking: %s\n", stamp(r.GetHeldAt()), r.GetHost(), cmp.Or(cell(r.GetNote()), "-"))
	return err
}
