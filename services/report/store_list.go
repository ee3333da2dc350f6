package report

import (
	"context"
	"database/sql"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

const (
	defaultPage = 50
	largestPage = 500
)

// pageSize is how many a page holds that asks for so many.
func pageSize(asked int32) int {
	if asked <= 0 {
		return defaultPage
	}
	return min(int(asked), largestPage)
}

// list answers a page of leads, newest first. A page begins after the last lead
// of the one before, so that leads that come meanwhile shift nothing.
func (s *Store) list(ctx context.Context, req *leadv1.ListLeadsRequest) (*leadv1.ListLeadsResponse, error) {
	size := pageSize(req.GetPageSize())
	where, args := []string{"received_at IS NOT NULL"}, []any{}
	from := "leads"
	if req.GetAsOf() != nil {
		then := nanos(req.GetAsOf().AsTime())
		from = stoodThen
		where = append(where, "received_at <= ?")
		args = append(args, then, then)
	}
	if prefix := req.GetIdPrefix(); prefix != "" {
		// Without wildcards in it, and past the last character that an id can have.
		where = append(where, "lead_id >= ? AND lead_id < ?")
		args = append(args, prefix, prefix+"~")
	}
	if req.GetPageToken() != "" {
		received, id, err := readPageToken(req.GetPageToken())
		if err != nil {
			return nil, err
		}
		where = append(where, "(received_at < ? OR (received_at = ? AND lead_id < ?))")
		args = append(args, received, received, id)
	}
	if st := req.GetState(); st != leadv1.State_STATE_UNSPECIFIED {
		where = append(where, "state = ?")
		args = append(args, stateWord(st))
	}
	if m := req.GetMember(); m != "" {
		where = append(where, "(owner = ? OR offered_to = ?)")
		args = append(args, m, m)
	}
	columns := names(new(leadRow).columns())
	query := "SELECT " + strings.Join(columns, ", ") + " FROM " + from + " WHERE " + strings.Join(where, " AND ") +
		" ORDER BY received_at DESC, lead_id DESC LIMIT ?"
	found, err := s.rowsOf(ctx, s.read, query, append(args, size+1)...)
	if err != nil {
		return nil, s.fault("read", err)
	}
	out := &leadv1.ListLeadsResponse{}
	if len(found) > size {
		last := found[size-1]
		out.NextPageToken = pageToken(nanos(last.s.ReceivedAt), last.s.ID)
		found = slices.Delete(found, size, len(found))
	}
	for _, r := range found {
		one := r.listed()
		if req.GetAsOf() != nil {
			one = asItStood(one)
		}
		out.Leads = append(out.Leads, one)
	}
	return out, nil
}

// stoodThen are the leads with how they stood at an instant in place of how they stand.
var stoodThen = func() string {
	var stood []string
	for _, c := range new(stoodRow).columns() {
		if c.name != "lead_id" && c.name != "from_at" {
			stood = append(stood, c.name)
		}
	}
	columns := names(new(leadRow).columns())
	for i, name := range columns {
		columns[i] = "l." + name
		if slices.Contains(stood, name) {
			columns[i] = "h." + name
		}
	}
	return "(SELECT " + strings.Join(columns, ", ") + " FROM leads l JOIN standings h ON h.lead_id = l.lead_id AND h.from_at =" +
		" (SELECT MAX(x.from_at) FROM standings x WHERE x.lead_id = l.lead_id AND x.from_at <= ?)) l"
}()

// asItStood leaves of a lead what is known of an instant that is past; the rest is how it
// stands now.
func asItStood(l *leadv1.Lead) *leadv1.Lead {
	return &leadv1.Lead{
		LeadId: l.GetLeadId(), State: l.GetState(), Stage: l.GetStage(), Source: l.GetSource(), Signed: l.GetSigned(), ReceivedAt: l.GetReceivedAt(),
		Historical: l.GetHistorical(), Owner: l.GetOwner(), OfferedTo: l.GetOfferedTo(), Pool: l.GetPool(), BlockedBy: l.GetBlockedBy(), Features: l.GetFeatures(),
	}
}

// queries is what rows can be asked of.
type queries interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// rowsOf reads leads.
func (s *Store) rowsOf(ctx context.Context, from queries, query string, args ...any) (found []*leadRow, err error) {
	rows, err := from.QueryContext(ctx, s.dialect.places(query), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r := &leadRow{}
		if err := rows.Scan(places(r.columns())...); err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	return found, rows.Err()
}

// listed is a lead as lists show it: what has a column.
func (r *leadRow) listed() *leadv1.Lead {
	l := leadOf(&r.s, r.lastSequence)
	if l.GetNurture() != nil {
		l.Nurture.Text = r.nurtureText
	}
	l.Features = &leadv1.Features{
		Country: r.country, Employees: r.employees, Industry: r.industry, Role: r.role,
		Product: r.product, Language: r.language,
		Attribution: &leadv1.Attribution{Source: r.utmSource, Medium: r.utmMedium, Campaign: r.campaign, Landing: r.landing},
	}
	for v := range leadv1.ContactWish_name {
		if w := leadv1.ContactWish(v); wishWord(w) == r.wish {
			l.Features.ContactWish = w
		}
	}
	return l
}

func pageToken(received int64, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(received, 10) + " " + id))
}

func readPageToken(token string) (received int64, id string, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		at, rest, ok := strings.Cut(string(raw), " ")
		if received, err = strconv.ParseInt(at, 10, 64); err == nil && ok {
			return received, rest, nil
		}
	}
	return 0, "", fault.New(fault.Invalid, "page_token: take it from the page before, as it is")
}
