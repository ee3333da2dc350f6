package main

import (
	"strings"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
)

// mostCandidates is how many leads are named where the beginning of an id is that of
// several.
const mostCandidates = 5

// aLead lets a command that only looks take the beginning of an id, as a page or a sentence
// shows it, where it is the beginning of one lead's.
func aLead(look func(*call) error) func(*call) error {
	return func(c *call) error {
		err := look(c)
		if err == nil || len(c.args) == 0 || !fault.Is(access.FaultOf(err), fault.NotFound) {
			return err
		}
		begin := strings.TrimRight(c.args[0], "….")
		if begin == "" || strings.ContainsFunc(begin, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }) {
			return err
		}
		found, listErr := leadv1.NewLeadServiceClient(c.conn).ListLeads(c.ctx, &leadv1.ListLeadsRequest{IdPrefix: begin, PageSize: mostCandidates + 1})
		if listErr != nil || len(found.GetLeads()) == 0 {
			return err
		}
		if len(found.GetLeads()) == 1 {
			c.args[0] = found.GetLeads()[0].GetLeadId()
			return look(c)
		}
		var ids []string
		for i, l := range found.GetLeads() {
			if i == mostCandidates {
				ids = append(ids, "…")
				break
			}
			ids = append(ids, l.GetLeadId())
		}
		return fault.New(fault.Invalid, "several leads begin with %s: %s; write as much as only one has", begin, strings.Join(ids, ", "))
	}
}
