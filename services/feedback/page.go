package feedback

import (
	"strconv"

	"github.com/leadbaton/baton/services/internal/fault"
)

// usualPage is how many a list answers where nobody says how many.
const usualPage = 50

// paged is what the requests of lists have in common.
type paged interface {
	GetPageToken() string
	GetPageSize() int32
}

// page reads what a list is to go on after, and how many it may answer.
func page(req paged) (after uint64, most int, err error) {
	if token := req.GetPageToken(); token != "" {
		if after, err = strconv.ParseUint(token, 10, 64); err != nil {
			return 0, 0, fault.New(fault.Invalid, "page_token: it is not one that this method gave out")
		}
	}
	if most = int(req.GetPageSize()); most == 0 {
		most = usualPage
	}
	return after, most, nil
}

// pageToken is what a list is to go on with; empty = there is no more.
func pageToken(next uint64) string {
	if next == 0 {
		return ""
	}
	return strconv.FormatUint(next, 10)
}
