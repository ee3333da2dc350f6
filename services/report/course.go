package report

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// A lead's course is kept as text, to which each event adds its lines: features, an
// arrival, moments, and what clocks said. Words stand between tabs.

// courseRow is what a batch adds to the course of a lead.
type courseRow struct{ leadID, course string }

func (r *courseRow) columns() []column {
	return []column{{"lead_id", &r.leadID}, {"course", &r.course}}
}

var courseWords = strings.NewReplacer("\t", " ", "\n", " ")

func courseLine(b *strings.Builder, words ...string) {
	for i, w := range words {
		if i > 0 {
			b.WriteByte('\t')
		}
		b.WriteString(courseWords.Replace(w))
	}
	b.WriteByte('\n')
}

// course keeps what the lead's clocks will ask for. The state forgets its own course
// after each event, so that what it has is of this one alone. Imported history has none.
func (r *leadRow) course(e *ledger.Event, c *changes) {
	if r.s.Historical {
		return
	}
	var b strings.Builder
	at := func(t time.Time) string { return strconv.FormatInt(nanos(t), 10) }
	if p := r.s.Course.Picture; p != nil {
		if p.Features != nil {
			// Features that were read from the log can be written again.
			raw, _ := proto.MarshalOptions{Deterministic: true}.Marshal(p.Features)
			courseLine(&b, "features", at(e.Occurred), base64.StdEncoding.EncodeToString(raw))
		}
		for _, a := range p.Journey {
			courseLine(&b, "arrival", a.Kind, at(a.At))
		}
	}
	for _, m := range r.s.Course.Moments {
		courseLine(&b, "moment", strconv.Itoa(int(m.Kind)), at(m.At), m.Member, m.Pool)
	}
	for _, s := range r.s.Course.Said {
		courseLine(&b, "said", strconv.Itoa(int(s.Kind)), at(e.Occurred), s.Clock, at(s.Started), strconv.Itoa(int(s.Step)))
	}
	if b.Len() == 0 {
		return
	}
	if row := c.courseOf[r.s.ID]; row != nil {
		row.course += b.String()
		return
	}
	row := &courseRow{r.s.ID, b.String()}
	c.courseOf[r.s.ID] = row
	c.courses = append(c.courses, row)
}

// readCourse reads a course as it was until an instant.
func readCourse(text string, until int64) (*lead.Course, error) {
	c := &lead.Course{}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" {
			continue
		}
		words := strings.Split(line, "\t")
		number := func(i int) int64 {
			n, _ := strconv.ParseInt(words[i], 10, 64)
			return n
		}
		switch {
		case words[0] == "features" && len(words) == 3:
			if number(1) > until {
				continue
			}
			next := &lead.Picture{Features: &leadv1.Features{}}
			raw, err := base64.StdEncoding.DecodeString(words[2])
			if err == nil {
				err = proto.Unmarshal(raw, next.Features)
			}
			if err != nil {
				return nil, fault.New(fault.Corrupt, "the read model holds features of a lead that cannot be read; rebuild it")
			}
			if c.Picture != nil {
				next.Journey = c.Picture.Journey
			}
			c.Picture = next
		case words[0] == "arrival" && len(words) == 3:
			if number(2) <= until {
				c.Evolve(&leadv1.TouchAdded{Kind: words[1]}, time.Unix(0, number(2)).UTC(), time.Time{})
			}
		case words[0] == "moment" && len(words) == 5:
			if number(2) <= until {
				c.Moments = append(c.Moments, lead.Moment{Kind: lead.MomentKind(number(1)), At: time.Unix(0, number(2)).UTC(), Member: words[3], Pool: words[4], Picture: c.Picture})
			}
		case words[0] == "said" && len(words) == 6:
			if number(2) <= until {
				c.Said = append(c.Said, lead.ClockSaid{Kind: lead.ClockSaidKind(number(1)), Clock: words[3], Started: time.Unix(0, number(4)).UTC(), Step: int32(number(5))})
			}
		default:
			return nil, fault.New(fault.Corrupt, "the read model holds a course of a lead that cannot be read; rebuild it")
		}
	}
	return c, nil
}
