package main

import (
	"fmt"
	"io"
	"strconv"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// mostExamples is how many reasons a preview gives.
const mostExamples = 3

// preview is what would become of the rows of a file.
type preview struct {
	// Leads would be opened, of persons who are known already or not.
	Leads int64 `json:"leads"`
	// KnownPersons are the leads of persons who were known before this file.
	KnownPersons int64 `json:"known_persons"`
	// MQL, StayLead and Held part the leads by what the agreement in force says.
	MQL      int64 `json:"mql"`
	StayLead int64 `json:"stay_lead"`
	Held     int64 `json:"held"`
	// NeedsMapping are kept, and nothing was found to reach the person by.
	NeedsMapping int64 `json:"needs_mapping"`
	// InFile stand twice or more in the file, Known are here already, Revisions
	// are here and say something else now.
	InFile    int64 `json:"duplicates_in_file"`
	Known     int64 `json:"duplicates_known"`
	Revisions int64 `json:"revisions"`
	Test      int64 `json:"refused_test"`
	Spam      int64 `json:"refused_spam"`
	// Here and Waits part the rows of other kinds by whether their lead is here.
	Here  int64 `json:"lead_is_here"`
	Waits int64 `json:"would_wait"`
	// AgreementVersion is the one in force; 0 = none.
	AgreementVersion int64            `json:"agreement_version"`
	Examples         []previewExample `json:"examples"`
	told             map[string]bool
}

// previewExample is why one row would not become an MQL.
type previewExample struct {
	Line int64  `json:"line"`
	What string `json:"what"`
	Why  string `json:"why"`
}

// example keeps the first of its kind.
func (p *preview) example(line int64, what, why string) {
	if p.told == nil {
		p.told = map[string]bool{}
	}
	if len(p.Examples) < mostExamples && !p.told[what+why] {
		p.told[what+why] = true
		p.Examples = append(p.Examples, previewExample{line, what, why})
	}
}

// foresee asks what would become of rows, and does nothing.
func (im *importer) foresee(rows []waiting, answers []answer) error {
	p := im.tally.Preview
	var places []int
	for i, w := range rows {
		switch {
		case w.no != nil:
			p.example(w.rec.line, "rejected", w.no.reason)
			continue
		case w.name != "" && im.seen.add(w.name):
			p.InFile++
		default:
			places = append(places, i)
		}
		answers[i].fate = fateForeseen
	}
	if len(places) == 0 {
		return nil
	}
	switch im.kind.name {
	case kindLeads:
		return im.foreseeLeads(rows, places)
	case kindHistory, kindOutcomes, kindOwners, kindActivities:
		leads, err := im.leadsOfRows(rows, places)
		if err != nil {
			return err
		}
		for _, i := range places {
			switch l := leads[i]; {
			case im.kind.name == kindHistory && l.GetExists():
				p.Known++
			case im.kind.name == kindHistory:
				p.Leads++
			case l == nil || l.GetExists():
				p.Here++
			default:
				p.Waits++
			}
		}
	}
	return nil
}

func (im *importer) foreseeLeads(rows []waiting, places []int) error {
	p := im.tally.Preview
	req := &intakev1.CheckSubmissionsRequest{Source: im.source}
	for _, i := range places {
		submit := rows[i].message.(*intakev1.SubmitRequest)
		submit.Submission.ExternalId = submit.GetIdempotencyKey()
		req.Submissions = append(req.Submissions, submit.GetSubmission())
	}
	var res *intakev1.CheckSubmissionsResponse
	err := im.persist(func() (err error) {
		res, err = im.system.intake.CheckSubmissions(im.ctx, req)
		return err
	})
	if err == nil {
		err = answeredAll(len(res.GetResults()), len(places))
	}
	if err != nil {
		return err
	}
	if im.trial != nil {
		im.trial.take(rows, places, res.GetResults())
		return nil
	}
	var open []int
	var features []*leadv1.Features
	for n, r := range res.GetResults() {
		line := rows[places[n]].rec.line
		switch r.GetOutcome() {
		case "repeat":
			p.Known++
			continue
		case "revision":
			p.Revisions++
			continue
		case "test":
			p.Test++
			p.example(line, "refused", "the sender marked it as a test")
			continue
		case "spam":
			p.Spam++
			p.example(line, "refused", "it looks like spam")
			continue
		case "needs-mapping":
			p.NeedsMapping++
			p.example(line, "needs mapping", "no e-mail address and no telephone number was found")
			continue
		case "known-person":
			p.KnownPersons++
		}
		p.Leads++
		open, features = append(open, places[n]), append(features, r.GetFeatures())
	}
	return im.foreseeStages(rows, open, features)
}

// foreseeStages asks how the leads would qualify.
func (im *importer) foreseeStages(rows []waiting, places []int, features []*leadv1.Features) error {
	if len(places) == 0 {
		return nil
	}
	p := im.tally.Preview
	var res *qualificationv1.PreviewResponse
	err := im.persist(func() (err error) {
		res, err = im.system.qualification.Preview(im.ctx, &qualificationv1.PreviewRequest{Features: features})
		return err
	})
	if err == nil {
		err = answeredAll(len(res.GetResults()), len(places))
	}
	if err != nil {
		return err
	}
	p.AgreementVersion = res.GetAgreementVersion()
	for n, r := range res.GetResults() {
		switch r.GetOutcome() {
		case "mql":
			p.MQL++
			continue
		case "held":
			p.Held++
		case "nurturing":
			p.StayLead++
		default:
			return fault.New(fault.Unknown, "the system answered %q, which this program does not know", r.GetOutcome())
		}
		p.example(rows[places[n]].rec.line, "stays LEAD", r.GetExplanation().GetSummary())
	}
	return nil
}

// write says it in words; nothing where there was nobody to ask.
func (p *preview) write(w io.Writer, k kind) error {
	if p == nil {
		return nil
	}
	var f facts
	count := func(name string, n int64, more string) {
		if n > 0 {
			f.add(name, grouped(n)+more)
		}
	}
	switch {
	case k.person:
		count("would become leads", p.Leads, "")
		version := ""
		if p.AgreementVersion > 0 {
			version = " by version " + strconv.FormatInt(p.AgreementVersion, 10) + " of the agreement"
		}
		count("  MQL", p.MQL, version)
		count("  stay LEAD", p.StayLead, "")
		count("  wait for an agreement", p.Held, "")
		count("  of known persons", p.KnownPersons, "")
		count("need mapping", p.NeedsMapping, "")
		count("already there", p.Known, "")
		count("changes of what is there", p.Revisions, "")
		count("refused as tests", p.Test, "")
		count("refused as spam", p.Spam, "")
	case k.source:
		count("their lead is here", p.Here, "")
		count("would wait for their lead", p.Waits, "")
	}
	count("twice in the file", p.InFile, "")
	if err := f.write(indented{w}); err != nil {
		return err
	}
	for _, e := range p.Examples {
		if _, err := fmt.Fprintf(w, "  line %d %s: %s\n", e.Line, e.What, cell(e.Why)); err != nil {
			return err
		}
	}
	return nil
}
