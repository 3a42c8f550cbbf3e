// something else
