# fish completion for penstock(1): the program itself says what may stand next.
function __penstock_complete
	set -l words (commandline -opc) (commandline -ct)
	for line in ($words[1] __complete -- $words 2>/dev/null)
		switch $line
			case ':files'
				__fish_complete_path (commandline -ct)
			case ':folders'
				__fish_complete_directories (commandline -ct) ''
			case '*'
				echo $line
		end
	end
end
complete -c penstock -f -k -a '(__penstock_complete)'
