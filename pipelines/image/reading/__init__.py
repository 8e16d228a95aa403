"""Settings that other programs wrote into their pictures, as values of ImageParams: each module reads one program's form."""
