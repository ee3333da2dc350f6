package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/report"
)

func replayCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "replay",
		GroupID: groupLook,
		Short:   "The events themselves, in order",
		Long: `Prints the events of the log in the order in which they were recorded, one a line:
sequence, recorded time, type, whose event it is, who said it, and a sentence. With
--format json each line is one JSON object with the whole envelope. Sealed parts stay
sealed. A record that cannot be read is named, and the status is 1.`,
		Example: `  baton replay
  baton replay --lead l2c4q…
  baton replay --from 2026-03-01 --to 2026-04-01 --format json > march.ndjson`,
		Args: exactly(),
	}
	flags := c.Flags()
	leadID := flags.String("lead", "", "only this lead")
	flags.String("from", "", "recorded from then on")
	flags.String("to", "", "recorded before then")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		from, to, err := spanFlags(cmd)
		if err != nil {
			return err
		}
		return client(func(c *call) error {
			return c.replay(&auditv1.ReplayRequest{LeadId: *leadID, From: from, To: to})
		})(cmd, args)
	}
	return c
}

func (c *call) replay(req *auditv1.ReplayRequest) error {
	stream, err := auditv1.NewAuditServiceClient(c.conn).Replay(c.ctx, req)
	if err != nil {
		return answered(err, c.server)
	}
	out := c.cmd.OutOrStdout()
	write := replayLine
	if c.format == formatJSON {
		write = replayJSON
	}
	unreadable := int64(0)
	for {
		stored, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return answered(err, c.server)
		}
		e, why := decode(stored)
		if why != "" {
			unreadable++
		}
		if err := write(out, stored, e, why); err != nil {
			return err
		}
	}
	if unreadable > 0 {
		return fault.New(fault.Corrupt, "%s cannot be read; baton verify says what is wrong with the log", counted(unreadable, "record", "records"))
	}
	return nil
}

// decode reads a stored record; why says what is wrong where it cannot be read.
func decode(stored *auditv1.StoredRecord) (e *ledger.Event, why string) {
	if stored.GetUnreadable() != "" {
		return nil, stored.GetUnreadable()
	}
	header := make(map[string][]string, len(stored.GetHeaders()))
	for _, h := range stored.GetHeaders() {
		header[h.GetName()] = append(header[h.GetName()], h.GetValue())
	}
	e, err := (&ledger.Record{Seq: stored.GetSequence(), Subject: stored.GetSubject(), Header: header, Body: stored.GetBody()}).Decode()
	if err != nil {
		return nil, err.Error()
	}
	return e, ""
}

func replayLine(w io.Writer, stored *auditv1.StoredRecord, e *ledger.Event, why string) error {
	if why != "" {
		_, err := fmt.Fprintf(w, "%8d  unreadable: %s\n", stored.GetSequence(), cell(why))
		return err
	}
	_, err := fmt.Fprintf(w, "%8d  %s  %-20s  %-6s  %-16s  %s\n", e.Seq, e.Recorded.UTC().Format(time.RFC3339),
		cell(shortType(e.Type)), cell(ledger.Kind(e.Subject)), cell(e.Actor), cell(report.Sentence(e.Body)))
	return err
}

// shortType is a type without the package that it stands in.
func shortType(t string) string { return t[strings.LastIndexByte(t, '.')+1:] }

// eventJSON is one event for machines.
type eventJSON struct {
	Sequence    uint64          `json:"sequence"`
	Subject     string          `json:"subject"`
	ID          string          `json:"id"`
	Type        string          `json:"type"`
	Service     string          `json:"service"`
	OccurredAt  string          `json:"occurred_at"`
	RecordedAt  string          `json:"recorded_at"`
	Actor       string          `json:"actor"`
	Cause       string          `json:"cause"`
	Correlation string          `json:"correlation"`
	Agreement   int64           `json:"agreement_version"`
	Basis       uint64          `json:"basis"`
	Logic       string          `json:"logic_version"`
	TZData      string          `json:"tzdata_version"`
	Prev        string          `json:"prev_hash"`
	Hash        string          `json:"hash"`
	TraceParent string          `json:"traceparent"`
	Sentence    string          `json:"sentence"`
	Body        json.RawMessage `json:"body"`
}

func replayJSON(w io.Writer, stored *auditv1.StoredRecord, e *ledger.Event, why string) error {
	line := json.NewEncoder(w)
	line.SetEscapeHTML(false)
	if why != "" {
		return line.Encode(struct {
			Sequence   uint64 `json:"sequence"`
			Subject    string `json:"subject"`
			Unreadable string `json:"unreadable"`
		}{stored.GetSequence(), stored.GetSubject(), why})
	}
	body, err := messageJSON(e.Body)
	if err != nil {
		return err
	}
	return line.Encode(eventJSON{
		Sequence: e.Seq, Subject: e.Subject, ID: e.ID, Type: e.Type, Service: e.Service,
		OccurredAt: e.Occurred.UTC().Format(time.RFC3339Nano), RecordedAt: e.Recorded.UTC().Format(time.RFC3339Nano),
		Actor: e.Actor, Cause: e.Cause, Correlation: e.Correlation, Agreement: e.Agreement, Basis: e.Basis, Logic: e.Logic, TZData: e.TZData,
		Prev: hex.EncodeToString(e.Prev[:]), Hash: hex.EncodeToString(e.Hash[:]), TraceParent: e.TraceParent,
		Sentence: report.Sentence(e.Body), Body: body,
	})
}
