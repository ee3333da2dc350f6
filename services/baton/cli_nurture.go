package main

import (
	"fmt"
	"io"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/lead"
)

// nurturing lists the leads that are with marketing, the ones first that are due
// first.
func (c *call) nurturing(overdue bool, limit int) error {
	list, err := c.dueLeads(overdue, limit)
	if err != nil {
		return err
	}
	if c.format == formatJSON {
		return writeMessage(c.cmd.OutOrStdout(), list)
	}
	return writeNurturing(c.cmd.OutOrStdout(), list, overdue)
}

func (c *call) dueLeads(overdue bool, limit int) (*leadv1.ListNurturingResponse, error) {
	service := leadv1.NewLeadServiceClient(c.conn)
	var all *leadv1.ListNurturingResponse
	for token := ""; ; {
		size := mostAtOnce
		if limit > 0 {
			size = min(size, limit-len(all.GetLeads()))
		}
		page, err := service.ListNurturing(c.ctx, &leadv1.ListNurturingRequest{PageSize: int32(size), PageToken: token, Overdue: overdue})
		if err != nil {
			return nil, err
		}
		page.Leads = append(all.GetLeads(), page.GetLeads()...)
		all = page
		if token = page.GetNextPageToken(); token == "" || (limit > 0 && len(all.GetLeads()) >= limit) {
			return all, nil
		}
	}
}

func writeNurturing(w io.Writer, list *leadv1.ListNurturingResponse, overdue bool) error {
	total := list.GetOverdue() + list.GetDueThisWeek() + list.GetDueLater()
	if total == 0 {
		_, err := fmt.Fprintln(w, "No lead is with marketing. One comes there when it does not match the profile, when sales sends it back, or after a call.")
		return err
	}
	fmt.Fprintf(w, "With marketing: %s; %s overdue, %s due within 7 days, %s later.\n",
		counted(total, "lead", "leads"), grouped(list.GetOverdue()), grouped(list.GetDueThisWeek()), grouped(list.GetDueLater()))
	if len(list.GetLeads()) == 0 {
		_, err := fmt.Fprintln(w, "Nothing is overdue.")
		return err
	}
	fmt.Fprintln(w)
	t := table{head: []string{"LEAD", "WHY", "SINCE", "NEXT TOUCH", "DUE", "LOOKED AT AGAIN", "OVERDUE BY"}}
	now := list.GetNow().AsTime()
	for _, l := range list.GetLeads() {
		n := l.GetNurture()
		late := ""
		if by := now.Sub(n.GetDue().AsTime()); by >= 0 {
			late = overdueBy(by)
		}
		t.add(l.GetLeadId(), nurtureWhy(n.GetReason()), stamp(n.GetSince()), dash(n.GetNextTouch()), dash(stamp(n.GetNextTouchDue())), dash(stamp(n.GetRecheckAt())), dash(late))
	}
	if err := t.write(w); err != nil {
		return err
	}
	if list.GetNextPageToken() != "" {
		if _, err := fmt.Fprintln(w, "There are more; --limit 0 shows all."); err != nil {
			return err
		}
	}
	if overdue || list.GetOverdue() > 0 {
		_, err := fmt.Fprintln(w, "\nA touch ticks the plan off once it is recorded: baton import FILE --source SOURCE --kind activities, or RecordTouch.")
		return err
	}
	return nil
}

// overdueBy says for how long something is late, in its largest unit.
func overdueBy(d time.Duration) string {
	switch day := 24 * time.Hour; {
	case d >= day:
		return counted(int64(d/day), "day", "days")
	case d >= time.Hour:
		return counted(int64(d/time.Hour), "hour", "hours")
	case d >= time.Minute:
		return counted(int64(d/time.Minute), "minute", "minutes")
	}
	return "due now"
}

// nurtureFacts are what marketing does with a lead.
func nurtureFacts(f *facts, l *leadv1.Lead) {
	n := l.GetNurture()
	if n == nil {
		return
	}
	f.add("with marketing", "since "+stamp(n.GetSince())+", because of "+nurtureWhy(n.GetReason()))
	if n.GetNextTouch() != "" {
		f.add("next touch", n.GetNextTouch()+", due "+stamp(n.GetNextTouchDue()))
	}
	f.add("looked at again", stamp(n.GetRecheckAt()))
}

// nurtureWhy is why a lead is with marketing, in words.
func nurtureWhy(reason string) string {
	switch reason {
	case lead.ReasonProfile:
		return "the customer profile"
	case lead.ReasonPersona:
		return "the personas"
	case lead.ReasonContentOnly:
		return "its wish for content only"
	case lead.ReasonCall:
		return "a call"
	case lead.ReasonRejected:
		return "a rejection by sales"
	}
	return reason
}
