//go:build !linux && !darwin

package doctor

func diskSpace(string) (Space, error) { return Space{}, errUnknown }
